"""The file of an export while it is written: it can be stopped, and it leaves room on the disk."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from annotator.errors import StorageFull

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MOST_BYTES = 128 << 30
_FREE_BYTES = 512 << 20
"""So much of the disk stays free for images and the database."""

_STEP = 16 << 20
"""The disk is asked each time when so much was written."""


class ExportFile(io.BufferedIOBase, BinaryIO):
    """Writes into `file`, which lies on the disk of `folder`, and leaves it open.

    Before every write it calls `check`, which raises to stop the export. Raises `StorageFull` for more than 128 GiB,
    and if less than 512 MiB of the disk are free.
    """

    def __init__(self, file: IO[bytes], folder: Path, check: Callable[[], object] = lambda: None) -> None:
        self._file, self._folder, self._check = file, folder, check
        self._written, self._asked = 0, 0

    def write(self, data: ReadableBuffer) -> int:
        """Write all of the data; how many bytes they are."""
        self._check()
        written = self._file.write(data)
        self._written += written
        if self._written - self._asked >= _STEP:
            self._asked = self._written
            if self._written > _MOST_BYTES:
                raise StorageFull(f"The export is larger than {_MOST_BYTES >> 30} GiB: export the images in parts.")
            if shutil.disk_usage(self._folder).free < _FREE_BYTES:
                raise StorageFull("The export does not fit on the server's disk.")
        return written

    def writable(self) -> bool:
        """Yes: text wrappers ask."""
        return True

    def seekable(self) -> bool:
        """Yes: zip files need it."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As the file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As the file does."""
        return self._file.tell()

    def flush(self) -> None:
        """As the file does."""
        if not self._file.closed:  # Python flushes when this goes, which may be later
            self._file.flush()
