"""Images with their files: keeps the rows of the database and the stored files in step."""

from __future__ import annotations

from contextlib import suppress

from annotator.errors import AnnotatorError, ImageStoreUnavailable
from annotator.imaging.decode import DecodedImage
from annotator.storage.files import ImageFiles
from annotator.storage.store import Store
from annotator.types import ImageRecord


class ImageLibrary:
    """Adds and purges images. Other processes may do the same on the same database and files at any time."""

    def __init__(self, store: Store, files: ImageFiles) -> None:
        self._store, self._files = store, files

    def add(self, image: ImageRecord, data: bytes, decoded: DecodedImage) -> ImageRecord:
        """Store the file, then the row, and return the image as it is stored; it may be there already.

        If that fails, files without an image are removed. Raises as `Store.add_image` and `ImageFiles.add` do.
        """

        def store_files() -> None:
            self._files.add(image.content_key, data, decoded)

        try:
            store_files()  # before the transaction, so that others do not wait for the disk
            # The file again: a purge may have taken it in between.
            return self._store.add_image(image, confirm=store_files)
        except ImageStoreUnavailable:
            raise  # others would wait while files are removed from a store that does not answer; a purge does it later
        except BaseException:
            with suppress(AnnotatorError):  # `annotator purge` removes what is left then
                self._store.release_content([image.content_key], self._files.remove)
            raise

    def purge(self, project_id: int | None = None) -> tuple[int, int]:
        """Remove for good what was removed, of one project or everywhere, with its files; how many images and projects.

        The images of removed projects count, too.
        """
        images, projects = self._store.purge(project_id)
        self._store.release_content({image.content_key for image in images}, self._files.remove)
        return len(images), projects

    def sweep(self) -> None:
        """Remove files that no image has, left by a crash."""
        self._files.remove_abandoned()
        self._store.release_content(self._files.keys(), self._files.remove)
