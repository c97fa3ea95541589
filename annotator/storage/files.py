"""Uploaded images, stored once by content: the original bytes, what the browser shows, a thumbnail."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Protocol
from urllib.request import url2pathname

from annotator.errors import CorruptData, InvalidSetting, NotFound
from annotator.imaging.decode import DecodedImage, thumbnail
from annotator.settings import Settings
from annotator.storage.cached_files import CachedFiles
from annotator.storage.local_files import FOLDERS, LocalFiles
from annotator.storage.object_files import ObjectFiles

_SIGNATURES = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))
_FOLDER_URL = "file://"


def content_key(data: bytes) -> str:
    """sha256 of a file's bytes, as hex: its name in the store."""
    return hashlib.sha256(data).hexdigest()


class Files(Protocol):
    """Where files named FOLDER/KEY lie. They are whole, and never change."""

    def has(self, name: str) -> bool:
        """Whether the file is there."""

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises `NotFound` if it is gone."""

    def write(self, name: str, data: bytes) -> None:
        """Returns when the file is stored for good."""

    def sizes(self, names: Collection[str]) -> dict[str, int]:
        """The bytes of those files that are there."""

    def names(self) -> Iterator[str]:
        """All files that are there."""

    def remove(self, names: Collection[str]) -> None:
        """Delete these files; absent ones are fine."""

    def remove_abandoned(self) -> None:
        """Delete files whose writing a crash cut short."""


class ImageFiles:
    """Folders `original`, `display` (where it differs) and `thumbnail`; files are named by the original's sha256.

    Raises `FileUnavailable` where a file or folder cannot be read or written, `StorageFull` if the disk is full,
    `ImageStoreUnavailable` if the object store cannot be used.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    @classmethod
    def of(cls, settings: Settings) -> ImageFiles:
        """The files where the settings keep them. Raises `InvalidSetting` if that cannot be."""
        return cls(_files_of(settings))

    def add(self, key: str, data: bytes, image: DecodedImage) -> None:
        """Store one image under the `content_key` of its bytes; files that are there already are left as they are."""
        if image.display is not data:
            self._write("display", key, lambda: image.display)
        self._write("thumbnail", key, lambda: thumbnail(image.pixels))
        self._write("original", key, lambda: data)

    def original(self, key: str) -> bytes:
        """The uploaded bytes. Raises `NotFound` if the file is gone, as the next two do, or `CorruptData`."""
        return self._files.read(f"original/{key}")

    def display(self, key: str) -> tuple[bytes, str]:
        """Bytes a browser shows upright, and their media type."""
        try:
            data = self._files.read(f"display/{key}")
        except NotFound:
            data = self.original(key)
        return data, next((kind for start, kind in _SIGNATURES if data.startswith(start)), "application/octet-stream")

    def thumbnail(self, key: str) -> bytes:
        """A small JPEG."""
        return self._files.read(f"thumbnail/{key}")

    def sizes(self, keys: Collection[str]) -> dict[str, int]:
        """Bytes of the uploaded files; 0 for those that are gone."""
        found = self._files.sizes([f"original/{key}" for key in keys])
        return {key: found.get(f"original/{key}", 0) for key in keys}

    def keys(self) -> set[str]:
        """The keys of all images that have a file here."""
        return {name.partition("/")[2] for name in self._files.names()}

    def remove(self, keys: Collection[str]) -> None:
        """Delete all files of these images; absent ones are fine."""
        self._files.remove([f"{folder}/{key}" for folder in FOLDERS for key in keys])

    def remove_abandoned(self) -> None:
        """Delete files whose writing a crash cut short."""
        self._files.remove_abandoned()

    def _write(self, folder: str, key: str, content: Callable[[], bytes]) -> None:
        name = f"{folder}/{key}"
        if not self._files.has(name):
            self._files.write(name, content())


def _files_of(settings: Settings) -> Files:
    url = settings.image_store
    if not url:
        return LocalFiles(settings.data_dir / "images")
    if url.startswith(_FOLDER_URL):
        root = Path(url2pathname(url.removeprefix(_FOLDER_URL)))
        if not root.is_dir():  # it is not made: perhaps it only is not mounted
            raise InvalidSetting(f"The image store {url} cannot be used: there is no folder {root}.")
        return LocalFiles(root)
    return CachedFiles(settings.data_dir / "image-cache", ObjectFiles(url), _check)


def _check(name: str, data: bytes) -> None:
    folder, _, key = name.partition("/")
    if folder == "original" and content_key(data) != key:
        raise CorruptData("The file of this image is damaged in the image store.")
