"""Images of a project: uploads, samples, files of the server, and their pixels."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from pathlib import Path

from cachetools import LRUCache

from annotator.errors import InvalidImage, NotFound
from annotator.imaging.decode import decode, decode_pixels
from annotator.imaging.names import relative_name
from annotator.serving.segmenter import ImageSource
from annotator.settings import ASSETS_DIR, MIB, Settings
from annotator.storage import folders
from annotator.storage.files import ImageFiles, content_key
from annotator.storage.library import ImageLibrary
from annotator.storage.store import Store
from annotator.types import ImageRecord, Project, UInt8Array
from annotator.workspace.quotas import Quotas
from annotator.workspace.views import View, crop

_DECODED_BYTES = 256 * MIB

SAMPLES = {
    "skimage_chelsea": "Cat",
    "skimage_coffee": "Coffee",
    "skimage_astronaut": "Astronaut",
    "skimage_rocket": "Rocket",
}
"""The shipped photos: file name without its suffix, and title."""


class Images:
    """Adds images, and gives their pixels."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self.files = ImageFiles.of(settings)
        self.library = ImageLibrary(store, self.files)
        self._quotas = Quotas(settings, store, self.files)
        self._decoded: LRUCache[str, UInt8Array] = LRUCache(_DECODED_BYTES, getsizeof=lambda pixels: pixels.nbytes)
        self._lock = threading.Lock()

    def add(self, project: Project, name: str, data: bytes) -> tuple[ImageRecord, bool]:
        """Decode, check and store an upload; its name may lead through folders.

        Returns the image, and whether it is new: the same file under the same name is not added again. Raises
        InvalidImage, QuotaExceeded.
        """
        name = relative_name(name)
        if len(data) > self._settings.max_upload_bytes:
            raise InvalidImage(f"{name} is larger than {self._settings.max_upload_bytes >> 20} MiB.")
        for known in self._store.images_with_content(project.id, content_key(data)):
            if known.name == name:
                return known, False
        with self._quotas.place(project.owner, len(data)) as free:
            decoded = decode(data, name, self._settings.max_pixels)
            record = ImageRecord(
                id=uuid.uuid4().hex,
                project_id=project.id,
                name=name,
                content_key=content_key(data),
                pixel_key=decoded.pixel_key,
                width=decoded.width,
                height=decoded.height,
                orientation=decoded.orientation,
                stretched=decoded.stretched,
            )
            added = self.library.add(record, data, decoded)
            if added.id != record.id:  # another request has added it meanwhile
                free()
        self._remember(added.content_key, decoded.pixels)
        return added, added.id == record.id

    def folders_of(self, user: str) -> list[Path]:
        """The folders of the server whose images this user may add."""
        return folders.folders_of(user, self._settings.image_folders)

    def add_from_server(self, project: Project, path: str, user: str) -> ImageRecord:
        """Add a copy of an image file in one of the user's folders; the same file twice is one image."""
        allowed = self.folders_of(user)
        data = folders.read_image(path, allowed, self._settings.max_upload_bytes)
        return self.add(project, folders.relative_name(path, allowed), data)[0]

    def add_sample(self, project: Project, name: str) -> ImageRecord:
        """Add one of the shipped photos; one that is already in the project is returned as it is."""
        if name not in SAMPLES:
            raise NotFound(f"There is no sample called {name!r}.")
        file_name = f"{name}.jpg"
        return self.add(project, file_name, (ASSETS_DIR / "samples" / file_name).read_bytes())[0]

    def pixels(self, record: ImageRecord) -> UInt8Array:
        """Upright RGB uint8 [height, width, 3], from a small cache or decoded again."""
        with self._lock:
            cached = self._decoded.get(record.content_key)
        if cached is not None:
            return cached
        pixels = decode_pixels(self.files.original(record.content_key), record.name, self._settings.max_pixels)
        self._remember(record.content_key, pixels)
        return pixels

    def source(self, record: ImageRecord, view: View | None = None) -> ImageSource:
        """What the segmenter needs of the image, or of the part of it that `view` shows."""
        load = partial(self.pixels, record)
        if view is None:
            return ImageSource(record.pixel_key, record.height, record.width, load)
        key = f"{record.pixel_key}:{view.x},{view.y},{view.width},{view.height}"
        return ImageSource(key, view.height, view.width, lambda: crop(load(), view))

    def unstored_source(self, data: bytes) -> ImageSource:
        """What the segmenter needs of an image that is not to be stored. Raises InvalidImage, Busy."""
        if len(data) > self._settings.max_upload_bytes:
            raise InvalidImage(f"The image is larger than {self._settings.max_upload_bytes >> 20} MiB.")
        decoded = decode(data, "The image", self._settings.max_pixels)
        return ImageSource(decoded.pixel_key, decoded.height, decoded.width, lambda: decoded.pixels)

    def _remember(self, key: str, pixels: UInt8Array) -> None:
        with self._lock:
            if pixels.nbytes <= self._decoded.maxsize:
                self._decoded[key] = pixels
