"""Uploaded images on disk, stored once by content: the original bytes, what the browser shows, a thumbnail."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

from annotator.errors import FileUnavailable, NotFound, StorageFull
from annotator.imaging.decode import DecodedImage, thumbnail
from annotator.storage.atomic import write_whole

_SIGNATURES = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))


def content_key(data: bytes) -> str:
    """sha256 of a file's bytes, as hex: its name in the store."""
    return hashlib.sha256(data).hexdigest()


class ImageFiles:
    """Folders `original`, `display` (where it differs) and `thumbnail`; files are named by the original's sha256."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in ("original", "display", "thumbnail"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def add(self, data: bytes, image: DecodedImage) -> str:
        """Store one image; returns its content key. Raises StorageFull, FileUnavailable."""
        key = content_key(data)
        if image.display is not data:
            self._write("display", key, image.display)
        self._write("thumbnail", key, thumbnail(image.pixels))
        self._write("original", key, data)
        return key

    def original(self, key: str) -> bytes:
        """The uploaded bytes. Raises NotFound if the file is gone, FileUnavailable if it cannot be read."""
        return self._read("original", key)

    def display(self, key: str) -> tuple[bytes, str]:
        """Bytes a browser shows upright, and their media type."""
        folder = "display" if (self._root / "display" / key).exists() else "original"
        data = self._read(folder, key)
        return data, next((kind for start, kind in _SIGNATURES if data.startswith(start)), "application/octet-stream")

    def thumbnail(self, key: str) -> bytes:
        """A small JPEG."""
        return self._read("thumbnail", key)

    def remove(self, key: str) -> None:
        """Delete all files of an image; absent ones are fine."""
        for folder in ("original", "display", "thumbnail"):
            (self._root / folder / key).unlink(missing_ok=True)

    def _read(self, folder: str, key: str) -> bytes:
        try:
            return (self._root / folder / key).read_bytes()
        except FileNotFoundError:
            raise NotFound("The file of this image is no longer in the data folder.") from None
        except OSError as error:
            raise FileUnavailable(f"The file of this image cannot be read ({error.strerror}).") from error

    def _write(self, folder: str, key: str, data: bytes) -> None:
        path = self._root / folder / key
        if path.exists():
            return
        try:
            write_whole(path, data, durable=True)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("The disk is full: the image could not be stored.") from error
            raise FileUnavailable(f"The image could not be stored ({error.strerror}).") from error
