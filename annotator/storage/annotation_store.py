"""Annotations of images, and the journal of their changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, select

from annotator.errors import Conflict, NotFound
from annotator.masks import rle
from annotator.storage import image_rows, journal, label_rows
from annotator.storage.database import Database
from annotator.storage.tables import annotation_rows, images
from annotator.types import Annotation, Change, Document, History, ImageRecord

_CHUNK = 500
"""Annotations fetched at a time while iterating."""


class AnnotationStore(Database):
    """The part of the store that knows annotations and their history."""

    def annotations(self, image_id: str) -> list[Annotation]:
        """The image's annotations, in the order in which they were first made."""
        with self._reading() as connection:
            return _annotations(connection, image_rows.one(connection, image_id))

    def annotation(self, image_id: str, annotation_id: str) -> Annotation:
        """One annotation."""
        with self._reading() as connection:
            found = _annotations(connection, image_rows.one(connection, image_id), annotation_id)
        if not found:
            raise NotFound("There is no such annotation.")
        return found[0]

    def document(self, image_id: str) -> Document:
        """The image with its annotations and its history."""
        with self._reading() as connection:
            # The history first: a change in between makes it look old, and an old document is fetched again.
            history = journal.read_history(connection, image_id)
            image = image_rows.one(connection, image_id)
            return Document(image, _annotations(connection, image), history)

    def iter_annotations(self, project_id: int) -> Iterator[Annotation]:
        """All annotations of the project, image by image in the order of `images`, without loading them all at once."""
        query = (
            select(*journal.COLUMNS, images.c.id.label("image"), images.c.height, images.c.width)
            .join_from(annotation_rows, images)
            .where(images.c.project_id == project_id, image_rows.PRESENT)
            .order_by(images.c.ordinal, annotation_rows.c.position)
        )
        with self._reading() as connection:
            merged = label_rows.merged_ids(connection, project_id)
            for row in connection.execution_options(yield_per=_CHUNK).execute(query).mappings():
                yield journal.to_annotation(row, row["image"], row["height"], row["width"], merged)

    def commit(
        self,
        image_id: str,
        kind: str,
        changes: Sequence[Change],
        request_id: str | None = None,
        author: str | None = None,
    ) -> History:
        """Apply the changes as one step of the image's journal, called `kind`. Undone steps can no longer be redone.

        Nothing changes if `changes` is empty, or if a step of this request id is in the journal already: so a request
        may be repeated when its reply was lost. Raises `Conflict` if an annotation is not what its change says it was,
        because somebody else was faster, `InvalidMask` if a mask does not fit and `TooIntricate` if it has too many
        runs to be shown; then nothing is changed.
        """
        with self._locked_image(image_id) as (connection, image, merged):
            if changes and not journal.has_request(connection, image_id, request_id):
                journal.record(connection, image, kind, changes, request_id, merged, author)
            return journal.read_history(connection, image_id)

    def add_missing(
        self,
        image_id: str,
        kind: str,
        annotations: Sequence[Annotation],
        request_id: str | None = None,
        author: str | None = None,
    ) -> int:
        """Add, as one step, those annotations whose mask the image does not have under the same label; how many.

        Raises as `commit` does.
        """
        with self._locked_image(image_id) as (connection, image, merged):
            if journal.has_request(connection, image_id, request_id):
                return 0
            query = select(annotation_rows.c.label_id, annotation_rows.c.counts)
            rows = connection.execute(query.where(annotation_rows.c.image_id == image_id))
            known = {(merged.get(label_id, label_id), counts) for label_id, counts in rows}
            changes = []
            for each in annotations:
                key = (merged.get(each.label_id, each.label_id), rle.to_coco_string(each.mask))
                if key not in known:
                    known.add(key)
                    changes.append(Change(None, each))
            if changes:
                journal.record(connection, image, kind, changes, request_id, merged, author)
            return len(changes)

    def has_request(self, image_id: str, request_id: str | None) -> bool:
        """Whether the image's journal holds a step of this request."""
        with self._reading() as connection:
            return journal.has_request(connection, image_id, request_id)

    def kept_by(self, image_id: str, request_id: str | None) -> Annotation:
        """The one annotation that a request added, as it was then. Raises `Conflict` if the request did not add one."""
        with self._reading() as connection:
            image = image_rows.one(connection, image_id)
            added = journal.added_by(connection, image_id, request_id)
            merged = label_rows.merged_ids(connection, image.project_id)
            if len(added) != 1:
                raise Conflict("This request id was used for another change.")
            return journal.to_annotation(added[0], image_id, image.height, image.width, merged)

    def undo(self, image_id: str, revision: int | None = None, by: str | None = None) -> History:
        """Take the last step of the image's journal back, for this user.

        Raises `Conflict` if there is none, or if the image is no longer at `revision`: the caller meant another step,
        or repeats a request whose reply was lost.
        """
        return self._step(image_id, revision, by, undo=True)

    def redo(self, image_id: str, revision: int | None = None, by: str | None = None) -> History:
        """Repeat the step that was taken back last. Raises `Conflict` as `undo` does."""
        return self._step(image_id, revision, by, undo=False)

    def history(self, image_id: str) -> History:
        """The image's revision, and what undo and redo would do."""
        with self._reading() as connection:
            return journal.read_history(connection, image_id)

    def _step(self, image_id: str, revision: int | None, by: str | None, undo: bool) -> History:
        with self._locked_image(image_id) as (connection, image, merged):
            if revision not in (None, image.revision):
                raise Conflict("The image was changed meanwhile: see what there is, then try again.")
            journal.step(connection, image, undo, merged, by)
            return journal.read_history(connection, image_id)

    @contextmanager
    def _locked_image(self, image_id: str) -> Iterator[tuple[Connection, Row[Any], dict[int, int]]]:
        """A transaction in which nobody else changes the image's annotations or the project's labels.

        Gives the connection, the image's row and the project's `merged_ids`.
        """
        with self._writing() as connection:
            image = image_rows.lock(connection, image_id)
            yield connection, image, label_rows.merged_ids(connection, image.project_id)


def _annotations(connection: Connection, image: ImageRecord, annotation_id: str | None = None) -> list[Annotation]:
    query = select(*journal.COLUMNS).where(annotation_rows.c.image_id == image.id)
    if annotation_id is not None:
        query = query.where(annotation_rows.c.id == annotation_id)
    merged = label_rows.merged_ids(connection, image.project_id)
    rows = connection.execute(query.order_by(annotation_rows.c.position)).mappings()
    return [journal.to_annotation(row, image.id, image.height, image.width, merged) for row in rows]
