"""Files of images in a folder of this machine, or in one that several machines share."""

from __future__ import annotations

import errno
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from annotator.errors import AnnotatorError, FileUnavailable, NotFound, StorageFull
from annotator.storage.atomic import SUFFIX, write_whole

FOLDERS = ("original", "display", "thumbnail")
_ABANDONED_SECONDS = 3600
"""A file that has been in writing for longer than this was left by a crash."""


def make_data_folder(path: Path) -> None:
    """Make the data folder if it is not there, closed to other people of the machine. Raises `FileUnavailable`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _failure(f"The data folder {path} cannot be made", error) from error


class LocalFiles:
    """Files named FOLDER/KEY below `root`, each there as a whole or not at all.

    Raises `FileUnavailable` where a file or folder cannot be read or written, `StorageFull` if the disk is full.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in FOLDERS:
            try:
                (root / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _failure(f"The folder {root / folder} cannot be made", error) from error

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self._root / name).exists()

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises `NotFound` if it is gone."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            raise NotFound("The file of this image is no longer stored.") from None
        except OSError as error:
            raise _failure("The file of this image cannot be read", error) from error

    def write(self, name: str, data: bytes) -> None:
        """Returns when the file is on the disk."""
        try:
            write_whole(self._root / name, data, durable=True)
        except OSError as error:
            raise _failure("The image could not be stored", error) from error

    def sizes(self, names: Collection[str]) -> dict[str, int]:
        """The bytes of those files that are there."""
        found = {}
        for name in names:
            with suppress(OSError):
                found[name] = (self._root / name).stat().st_size
        return found

    def names(self) -> Iterator[str]:
        """All files that are there."""
        return (f"{path.parent.name}/{path.name}" for path in self.paths() if path.suffix != SUFFIX)

    def paths(self) -> list[Path]:
        """All files, with those that are being written."""
        return [path for folder in FOLDERS for path in (self._root / folder).iterdir()]

    def remove(self, names: Collection[str]) -> None:
        """Delete these files; absent ones are fine."""
        for name in names:
            _delete(self._root / name)

    def remove_abandoned(self) -> None:
        """Delete files whose writing a crash cut short."""
        for path in self.paths():
            if path.suffix == SUFFIX:
                with suppress(FileNotFoundError):  # written to its end since, under its own name
                    if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                        _delete(path)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _failure(f"{path} cannot be deleted", error) from error


def _failure(what: str, error: OSError) -> AnnotatorError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{what}: the disk is full.")
    return FileUnavailable(f"{what} ({error.strerror}).")
