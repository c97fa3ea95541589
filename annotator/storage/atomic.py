"""Files that appear under their name only when complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SUFFIX = ".tmp"
"""Of a file that is being written; after a crash it may be left over."""


def write_whole(path: Path, data: bytes, durable: bool = False) -> None:
    """Write `data` to `path`; `durable` waits for the disk. Raises OSError, and then leaves nothing behind."""
    with writing_whole(path, durable) as file:
        file.write(data)


@contextmanager
def writing_whole(path: Path, durable: bool = False) -> Iterator[IO[bytes]]:
    """A file to write in a `with` block, at whose end it stands under `path`; after an error nothing is left."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=SUFFIX, delete=False) as file:
        part = Path(file.name)
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Wait until the names of the folder's files are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
