"""Projects, images, labels, annotations and their journal in a SQL database: SQLite in a file, or PostgreSQL.

Every method is one transaction and may be called from any thread; several processes may share one database. A change
of labels locks the project's row. A change of annotations locks the image's row, and the project's against changes of
its labels. Every method raises `NotFound` for ids that do not exist, `InvalidRequest` for values that no database can
store, and `DatabaseUnavailable` or `StorageFull` when the database or the disk fails; then nothing is half-written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, update

from annotator.errors import Conflict, NotFound
from annotator.storage import journal
from annotator.storage import label_rows as labels
from annotator.storage.database import connect, translated_errors
from annotator.storage.tables import annotation_rows, events, images, projects
from annotator.types import Annotation, Change, History, ImageRecord, ImageStatus, Label, Project

_PROJECT = tuple(projects.c[field] for field in Project.__dataclass_fields__)
_IMAGE = tuple(images.c[field] for field in ImageRecord.__dataclass_fields__)

_CHUNK = 500
"""Annotations fetched at a time while iterating."""


class Store:
    """The database behind one URL: `sqlite:///FILE` or `postgresql+psycopg://...`; created or migrated as needed."""

    def __init__(self, url: str) -> None:
        with translated_errors():
            self._engine = connect(url)
        self._writer = self._engine.execution_options(write=True)
        # SQLite's waiting writers poll, so some may starve. A lock makes the writers of this process take turns.
        self._turn: AbstractContextManager[object] = Lock() if self._engine.dialect.name == "sqlite" else nullcontext()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def create_project(self, name: str, owner: str) -> Project:
        """A new project. Raises `InvalidRequest` for an empty, overlong or unprintable name."""
        values = {"name": labels.clean_name(name, "project"), "owner": owner}
        with self._writing() as connection:
            return Project(*connection.execute(insert(projects).values(values).returning(*_PROJECT)).one())

    def projects(self, owner: str) -> list[Project]:
        """The owner's projects, oldest first."""
        with self._reading() as connection:
            found = connection.execute(select(*_PROJECT).where(projects.c.owner == owner).order_by(projects.c.id))
            return [Project(*row) for row in found]

    def project(self, project_id: int) -> Project:
        """One project."""
        with self._reading() as connection:
            row = connection.execute(select(*_PROJECT).where(projects.c.id == project_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such project.")
        return Project(*row)

    def labels(self, project_id: int) -> list[Label]:
        """The project's labels, oldest first."""
        with self._reading() as connection:
            return labels.all_of(connection, project_id)

    def add_label(
        self, project_id: int, name: str, color: str | None = None, supercategory: str = "", key: str | None = None
    ) -> Label:
        """A new label, by default in the next free colour of `labels.PALETTE` and with the next free digit, if any.

        A deleted label of the name comes back under its old id. Raises `Conflict` for a name or key in use,
        `InvalidRequest` for malformed fields.
        """
        with self._writing() as connection:
            labels.lock_project(connection, project_id)
            return labels.add(connection, project_id, name, color, supercategory, key)

    def update_label(self, label: Label) -> Label:
        """Give the label of this id these fields; it stays in its project. Raises as `add_label` does."""
        with self._held_label(label.id) as (connection, present):
            return labels.change(connection, replace(label, project_id=present.project_id))

    def delete_label(self, label_id: int) -> None:
        """Remove a label. Raises `Conflict` if an annotation has it."""
        with self._held_label(label_id) as (connection, label):
            labels.remove(connection, label)

    def add_image(self, image: ImageRecord) -> None:
        """Add an image to its project. Raises `Conflict` if its id exists."""
        with self._writing() as connection:
            labels.lock_project(connection, image.project_id, shared=True)
            if connection.execute(select(images.c.id).where(images.c.id == image.id)).first():
                raise Conflict("There is an image with this id already.")
            connection.execute(insert(images).values(asdict(image)))

    def image(self, image_id: str, deleted: bool = False) -> ImageRecord:
        """One image; with `deleted`, one of those that were deleted."""
        with self._reading() as connection:
            return _image(connection, image_id, deleted)

    def images(
        self, project_id: int, status: ImageStatus | None = None, offset: int = 0, limit: int = 200
    ) -> tuple[int, list[ImageRecord]]:
        """How many images of this status there are, and `limit` of them from `offset` on, oldest first."""
        which = (images.c.project_id == project_id) & ~images.c.deleted
        if status is not None:
            which &= images.c.status == status
        page = select(*_IMAGE).where(which).order_by(images.c.ordinal).offset(offset).limit(limit)
        with self._reading() as connection:
            total = connection.execute(select(func.count()).select_from(images).where(which)).scalar_one()
            return total, [ImageRecord(*row) for row in connection.execute(page)]

    def images_named(self, project_id: int, name: str) -> list[ImageRecord]:
        """The project's images of this file name, oldest first."""
        which = (images.c.project_id == project_id) & (images.c.name == name) & ~images.c.deleted
        with self._reading() as connection:
            return [
                ImageRecord(*row) for row in connection.execute(select(*_IMAGE).where(which).order_by(images.c.ordinal))
            ]

    def set_status(self, image_id: str, status: ImageStatus) -> None:
        """Set how far the work on an image is."""
        self._update_image(image_id, status=status)

    def delete_image(self, image_id: str) -> None:
        """Hide an image, with all it has, until it is restored or purged."""
        self._update_image(image_id, deleted=True)

    def restore_image(self, image_id: str) -> None:
        """Take `delete_image` back. Labels that were deleted meanwhile come back with it."""
        with self._writing() as connection:
            labels.lock_project(connection, _image(connection, image_id, deleted=True).project_id, shared=True)
            connection.execute(update(images).where(images.c.id == image_id).values(deleted=False))
            used = select(annotation_rows.c.label_id).where(annotation_rows.c.image_id == image_id)
            labels.revive(connection, used)

    def purge_deleted(self, project_id: int | None = None) -> list[ImageRecord]:
        """Remove the deleted images, of one project or of all, for good; their files are the caller's to delete."""
        which = images.c.deleted if project_id is None else images.c.deleted & (images.c.project_id == project_id)
        with self._writing() as connection:
            found = connection.execute(select(*_IMAGE).where(which).order_by(images.c.ordinal).with_for_update())
            purged = [ImageRecord(*row) for row in found]
            ids = [{"purged": image.id} for image in purged]
            for column in (events.c.image_id, annotation_rows.c.image_id, images.c.id) if ids else ():
                connection.execute(delete(column.table).where(column == bindparam("purged")), ids)
            return purged

    def content_in_use(self, content_key: str) -> bool:
        """Whether an image, deleted or not, still has this stored file."""
        with self._reading() as connection:
            return connection.scalar(select(exists().where(images.c.content_key == content_key))) is True

    def annotation_counts(self, project_id: int) -> dict[str, int]:
        """The number of annotations of each of the project's images."""
        query = (
            select(images.c.id, func.count(annotation_rows.c.id))
            .join_from(images, annotation_rows, isouter=True)
            .where(images.c.project_id == project_id, ~images.c.deleted)
            .group_by(images.c.id)
        )
        with self._reading() as connection:
            return {image_id: count for image_id, count in connection.execute(query)}

    def annotations(self, image_id: str) -> list[Annotation]:
        """The image's annotations, in the order in which they were first made."""
        query = (
            select(*journal.COLUMNS).where(annotation_rows.c.image_id == image_id).order_by(annotation_rows.c.position)
        )
        with self._reading() as connection:
            image = _image(connection, image_id)
            rows = connection.execute(query).mappings()
            return [journal.to_annotation(row, image_id, image.height, image.width) for row in rows]

    def annotation(self, image_id: str, annotation_id: str) -> Annotation:
        """One annotation."""
        query = select(*journal.COLUMNS).where(
            annotation_rows.c.image_id == image_id, annotation_rows.c.id == annotation_id
        )
        with self._reading() as connection:
            image = _image(connection, image_id)
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFound("There is no such annotation.")
        return journal.to_annotation(row, image_id, image.height, image.width)

    def iter_annotations(self, project_id: int) -> Iterator[Annotation]:
        """All annotations of the project, image by image in the order of `images`, without loading them all at once."""
        query = (
            select(*journal.COLUMNS, images.c.id.label("image"), images.c.height, images.c.width)
            .join_from(annotation_rows, images)
            .where(images.c.project_id == project_id, ~images.c.deleted)
            .order_by(images.c.ordinal, annotation_rows.c.position)
        )
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=_CHUNK).execute(query).mappings():
                yield journal.to_annotation(row, row["image"], row["height"], row["width"])

    def commit(self, image_id: str, kind: str, changes: Sequence[Change], request_id: str | None = None) -> History:
        """Apply the changes as one step of the image's journal, called `kind`. Undone steps can no longer be redone.

        Nothing changes if `changes` is empty, or if a step of this request id is in the journal already: so a request
        may be repeated when its reply was lost. Raises `Conflict` if an annotation is not what its change says it was,
        because somebody else was faster, and `InvalidMask` if a mask does not fit; then nothing is changed.
        """
        with self._held_image(image_id) as (connection, image):
            if changes and not journal.has_request(connection, image_id, request_id):
                journal.record(connection, image, kind, changes, request_id)
            return journal.read_history(connection, image_id)

    def has_request(self, image_id: str, request_id: str | None) -> bool:
        """Whether the image's journal holds a step of this request."""
        with self._reading() as connection:
            return journal.has_request(connection, image_id, request_id)

    def undo(self, image_id: str, revision: int | None = None) -> History:
        """Take the last step of the image's journal back.

        Raises `Conflict` if there is none, or if the image is no longer at `revision`: the caller meant another step,
        or repeats a request whose reply was lost.
        """
        return self._step(image_id, revision, undo=True)

    def redo(self, image_id: str, revision: int | None = None) -> History:
        """Repeat the step that was taken back last. Raises `Conflict` as `undo` does."""
        return self._step(image_id, revision, undo=False)

    def history(self, image_id: str) -> History:
        """Where the image stands in its journal."""
        with self._reading() as connection:
            return journal.read_history(connection, image_id)

    def _step(self, image_id: str, revision: int | None, undo: bool) -> History:
        with self._held_image(image_id) as (connection, image):
            if revision not in (None, image.revision):
                raise Conflict("The image was changed meanwhile: see what there is, then try again.")
            journal.step(connection, image, undo)
            return journal.read_history(connection, image_id)

    def _update_image(self, image_id: str, **values: object) -> None:
        which = (images.c.id == image_id) & ~images.c.deleted
        with self._writing() as connection:
            if connection.execute(update(images).where(which).values(values)).rowcount == 0:
                raise NotFound("There is no such image.")

    @contextmanager
    def _held_image(self, image_id: str) -> Iterator[tuple[Connection, Row[Any]]]:
        """A transaction in which nobody else changes the image's annotations or the project's labels."""
        with self._writing() as connection:
            query = select(images).where(images.c.id == image_id, ~images.c.deleted).with_for_update()
            image = connection.execute(query).one_or_none()
            if image is None:
                raise NotFound("There is no such image.")
            labels.lock_project(connection, image.project_id, shared=True)
            yield connection, image

    @contextmanager
    def _held_label(self, label_id: int) -> Iterator[tuple[Connection, Label]]:
        """A transaction in which nobody else changes the labels of the label's project."""
        with self._writing() as connection:
            labels.lock_project(connection, labels.one(connection, label_id).project_id)
            yield connection, labels.one(connection, label_id)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with translated_errors(), self._turn, self._writer.begin() as connection:
            yield connection


def _image(connection: Connection, image_id: str, deleted: bool = False) -> ImageRecord:
    query = select(*_IMAGE).where(images.c.id == image_id, images.c.deleted == deleted)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such image.")
    return ImageRecord(*row)
