"""Uploaded images on disk, stored once by content: the original bytes, what the browser shows, a thumbnail."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from annotator.errors import AnnotatorError, FileUnavailable, NotFound, StorageFull
from annotator.imaging.decode import DecodedImage, thumbnail
from annotator.storage.atomic import SUFFIX, write_whole

_FOLDERS = ("original", "display", "thumbnail")
_SIGNATURES = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))
_ABANDONED_SECONDS = 3600
"""A file that has been in writing for longer than this was left by a crash."""


def content_key(data: bytes) -> str:
    """sha256 of a file's bytes, as hex: its name in the store."""
    return hashlib.sha256(data).hexdigest()


def make_data_folder(path: Path) -> None:
    """Make the data folder if it is not there, closed to other people of the machine. Raises `FileUnavailable`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _failure(f"The data folder {path} cannot be made", error) from error


class ImageFiles:
    """Folders `original`, `display` (where it differs) and `thumbnail`; files are named by the original's sha256.

    Raises `FileUnavailable` where a file or folder cannot be read or written, `StorageFull` if the disk is full.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in _FOLDERS:
            try:
                (root / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _failure(f"The folder {root / folder} cannot be made", error) from error

    def add(self, key: str, data: bytes, image: DecodedImage) -> None:
        """Store one image under the `content_key` of its bytes; files that are there already are left as they are."""
        if image.display is not data:
            self._write("display", key, lambda: image.display)
        self._write("thumbnail", key, lambda: thumbnail(image.pixels))
        self._write("original", key, lambda: data)

    def original(self, key: str) -> bytes:
        """The uploaded bytes. Raises `NotFound` if the file is gone, as the next two do."""
        return self._read("original", key)

    def display(self, key: str) -> tuple[bytes, str]:
        """Bytes a browser shows upright, and their media type."""
        folder = "display" if (self._root / "display" / key).exists() else "original"
        data = self._read(folder, key)
        return data, next((kind for start, kind in _SIGNATURES if data.startswith(start)), "application/octet-stream")

    def thumbnail(self, key: str) -> bytes:
        """A small JPEG."""
        return self._read("thumbnail", key)

    def size(self, key: str) -> int:
        """Bytes of the uploaded file; 0 if it is gone."""
        try:
            return (self._root / "original" / key).stat().st_size
        except OSError:
            return 0

    def keys(self) -> set[str]:
        """The keys of all images that have a file here."""
        return {path.name for path in self._paths() if path.suffix != SUFFIX}

    def remove(self, key: str) -> None:
        """Delete all files of an image; absent ones are fine."""
        for folder in _FOLDERS:
            _delete(self._root / folder / key)

    def remove_abandoned(self) -> None:
        """Delete files whose writing a crash cut short."""
        for path in self._paths():
            if path.suffix == SUFFIX:
                with suppress(FileNotFoundError):  # written to its end since, under its own name
                    if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                        _delete(path)

    def _paths(self) -> list[Path]:
        return [path for folder in _FOLDERS for path in (self._root / folder).iterdir()]

    def _read(self, folder: str, key: str) -> bytes:
        try:
            return (self._root / folder / key).read_bytes()
        except FileNotFoundError:
            raise NotFound("The file of this image is no longer in the data folder.") from None
        except OSError as error:
            raise _failure("The file of this image cannot be read", error) from error

    def _write(self, folder: str, key: str, content: Callable[[], bytes]) -> None:
        path = self._root / folder / key
        try:
            if not path.exists():
                write_whole(path, content(), durable=True)
        except OSError as error:
            raise _failure("The image could not be stored", error) from error


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _failure(f"{path} cannot be deleted", error) from error


def _failure(what: str, error: OSError) -> AnnotatorError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{what}: the disk is full.")
    return FileUnavailable(f"{what} ({error.strerror}).")
