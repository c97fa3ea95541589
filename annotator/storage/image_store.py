"""Images of projects, those that were removed, and how many objects they have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, or_, select, update

from annotator.errors import Conflict, InvalidRequest, NotFound
from annotator.storage import access, image_rows, label_rows, project_versions, tables
from annotator.storage.database import Database
from annotator.storage.tables import annotation_rows, events, images, labels, memberships, places, projects
from annotator.types import ImageRecord, ImageStatus, Right, Verdict, WorkStatus

_CHUNK = 500
"""Images, or ids, per query: far below any database's limit on parameters."""

_CONTENT_LOCK = 0x5A4D3
"""Any number: adding an image and releasing stored files take turns by it in PostgreSQL."""


def _images(which: ColumnElement[bool]) -> Select[Any]:
    return select(*image_rows.COLUMNS).where(which)


class ImageStore(Database):
    """The part of the store that knows images."""

    def add_image(self, image: ImageRecord, confirm: Callable[[], object] | None = None) -> ImageRecord:
        """Add an image to its project, and return it with its ordinal. Raises `Conflict` if its id exists.

        The same file under the same name is not added again: the image that is there is returned.

        `confirm` is called before the transaction ends, while `release_content` cannot run: the place to make sure
        that the image's file is there. If it raises, nothing is added.
        """
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock_shared(_CONTENT_LOCK)))
                same = func.hashtextextended(f"{image.project_id} {image.content_key} {image.name}", _CONTENT_LOCK)
                connection.execute(select(func.pg_advisory_xact_lock(same)))  # those who add the same take turns
            label_rows.lock_project(connection, image.project_id, shared=True)
            if connection.execute(select(images.c.id).where(images.c.id == image.id)).first():
                raise Conflict("There is an image with this id already.")
            of_project = (images.c.project_id == image.project_id) & image_rows.PRESENT
            same_file = (images.c.content_key == image.content_key) & (images.c.name == image.name)
            if known := image_rows.records(connection, _images(of_project & same_file)):
                return known[0]
            added = image_rows.add(connection, image)
            if confirm is not None:
                confirm()
            project_versions.mark_image(connection, image.project_id, image.id, None)
        return added

    def image(self, image_id: str, user: str | None = None, right: Right = "own", removed: bool = False) -> ImageRecord:
        """An image. With `removed`, one that was removed. Raises as `project` does."""
        with self._reading() as connection:
            return image_rows.one(connection, image_id, user, right, removed)

    def images(
        self,
        project_id: int,
        status: ImageStatus | None = None,
        limit: int = 200,
        after: str | None = None,
        removed: bool = False,
    ) -> tuple[int, list[ImageRecord]]:
        """How many images of this status there are, and the first `limit` of them, oldest first.

        With `after`, an image's id, only those added later: so a list is complete though others delete images while
        it is read page by page. With `removed`, the images that were removed and can be restored. Raises `NotFound` if
        the image `after` was purged.
        """
        which = (images.c.project_id == project_id) & (image_rows.REMOVED if removed else image_rows.PRESENT)
        if status is not None:
            which &= images.c.status == status
        page = _images(which).limit(limit)
        with self._reading() as connection:
            if after is not None:
                ordinal = connection.scalar(select(images.c.ordinal).where(images.c.id == after))
                if ordinal is None:
                    raise NotFound("There is no such image to go on after.")
                page = page.where(images.c.ordinal > ordinal)
            total = connection.execute(select(func.count()).select_from(images).where(which)).scalar_one()
            return total, image_rows.records(connection, page)

    def iter_images(self, project_id: int) -> Iterator[ImageRecord]:
        """All images of the project, oldest first, without loading them all at once; others may change meanwhile."""
        which = (images.c.project_id == project_id) & image_rows.PRESENT
        last = 0
        while True:
            query = select(images.c.ordinal, *image_rows.COLUMNS).where(which, images.c.ordinal > last)
            with self._reading() as connection:
                page = connection.execute(query.order_by(images.c.ordinal).limit(_CHUNK)).all()
            for _, *fields in page:
                yield ImageRecord(*fields)
            if len(page) < _CHUNK:
                return
            last = page[-1].ordinal

    def images_by_id(self, image_ids: Sequence[str], user: str | None = None) -> list[ImageRecord]:
        """Those of the images that are there, in the given order; with `user`, those that this user may annotate."""
        found: dict[str, ImageRecord] = {}
        with self._reading() as connection:
            for first in range(0, len(image_ids), _CHUNK):
                which = images.c.id.in_(image_ids[first : first + _CHUNK]) & image_rows.PRESENT
                if user is not None:
                    which &= access.allowed(images.c.project_id, user, "annotate")
                found |= {each.id: each for each in image_rows.records(connection, _images(which))}
        return [found[image_id] for image_id in dict.fromkeys(image_ids) if image_id in found]

    def images_with_content(self, project_id: int, content_key: str) -> list[ImageRecord]:
        """The project's images made of this very file, oldest first."""
        return self._find(project_id, images.c.content_key == content_key)

    def content_of(self, owner: str) -> Sequence[str]:
        """The content key of each image in the projects of this owner, what is in the bin included."""
        query = select(images.c.content_key).join_from(images, projects).where(projects.c.owner == owner)
        with self._reading() as connection:
            return connection.scalars(query).all()

    def set_status(self, image_id: str, status: WorkStatus, by: str | None = None) -> None:
        """Set how far the work on an image is. What a reviewer said of it stays until the next verdict."""
        self._update_image(image_id, by, status=status)

    def review(
        self, image_id: str, verdict: Verdict, by: str, comment: str | None = None, revision: int | None = None
    ) -> None:
        """Approve an image, or reject it with a comment that says what to change.

        Raises `InvalidRequest` for a rejection without a comment, and `Conflict` if the image is no longer at
        `revision`: what the reviewer saw is not what there is.
        """
        if verdict == "rejected" and not comment:
            raise InvalidRequest("Say what should be changed: a rejection needs a comment.")
        values = {"status": verdict, "reviewer": by, "review_comment": comment or None}
        with self._writing() as connection:
            image = image_rows.lock(connection, image_id)
            if revision not in (None, image.revision):
                raise Conflict("The image was changed while you looked at it: look again, then decide.")
            connection.execute(update(images).where(images.c.id == image_id).values(values))
            project_versions.mark_image(connection, image.project_id, image_id, by)

    def delete_image(self, image_id: str, by: str | None = None) -> None:
        """Hide an image, with all it has, until it is restored or purged."""
        self._update_image(image_id, by, deleted=True)

    def restore_image(self, image_id: str, by: str | None = None) -> None:
        """Take `delete_image` back. Labels that were deleted meanwhile come back with it."""
        which = (images.c.id == image_id) & images.c.deleted
        used = select(annotation_rows.c.label_id).where(annotation_rows.c.image_id == image_id).distinct()
        with self._writing() as connection:
            project_id = image_rows.one(connection, image_id, removed=True).project_id
            label_rows.lock_project(connection, project_id, shared=True)
            if connection.execute(update(images).where(which).values(deleted=False)).rowcount == 0:
                raise NotFound("There is no such image.")
            merged = label_rows.merged_ids(connection, project_id)
            if label_rows.revive(connection, connection.scalars(used).all(), merged):
                project_versions.advance(connection, project_id, labels=True)
            project_versions.mark_image(connection, project_id, image_id, by)

    def purge(self, project_id: int | None = None) -> tuple[list[ImageRecord], int]:
        """Remove for good what was removed: of one project, or everywhere; a removed project goes with all it has.

        Returns the images that are gone, see `release_content` for their files, and how many projects are.
        """
        with self._writing() as connection:
            gone = select(projects.c.id).where(projects.c.deleted)
            if project_id is not None:
                gone = gone.where(projects.c.id == project_id)
            project_ids = connection.scalars(gone.order_by(projects.c.id).with_for_update()).all()
            which = or_(images.c.deleted, images.c.project_id.in_(project_ids))
            if project_id is not None:
                which &= images.c.project_id == project_id
            found = connection.execute(_images(which).order_by(images.c.ordinal).with_for_update())
            purged = [ImageRecord(*row) for row in found]
            ids = [{"purged": image.id} for image in purged]
            of_images = (events.c.image_id, annotation_rows.c.image_id, places.c.image_id, images.c.id)
            for column in of_images if ids else ():
                connection.execute(delete(column.table).where(column == bindparam("purged")), ids)
            for table in (labels, memberships, tables.project_versions):
                connection.execute(delete(table).where(table.c.project_id.in_(project_ids)))
            connection.execute(delete(projects).where(projects.c.id.in_(project_ids)))
            return purged, len(project_ids)

    def release_content(self, content_keys: Collection[str], remove: Callable[[Collection[str]], object]) -> None:
        """Call `remove` with those keys that no image has, removed ones included. Nobody can add one meanwhile."""
        keys = list(content_keys)
        for first in range(0, len(keys), _CHUNK):
            chunk = keys[first : first + _CHUNK]
            with self._writing() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(select(func.pg_advisory_xact_lock(_CONTENT_LOCK)))
                used = set(connection.scalars(select(images.c.content_key).where(images.c.content_key.in_(chunk))))
                if unused := [key for key in chunk if key not in used]:
                    remove(unused)

    def annotation_counts(self, image_ids: Sequence[str]) -> dict[str, int]:
        """How many annotations each of these images has."""
        counts = dict.fromkeys(image_ids, 0)
        column = annotation_rows.c.image_id
        with self._reading() as connection:
            for first in range(0, len(image_ids), _CHUNK):
                query = select(column, func.count()).where(column.in_(image_ids[first : first + _CHUNK]))
                counts |= {image_id: count for image_id, count in connection.execute(query.group_by(column))}
        return counts

    def _find(self, project_id: int, which: ColumnElement[bool]) -> list[ImageRecord]:
        with self._reading() as connection:
            query = _images(which & (images.c.project_id == project_id) & image_rows.PRESENT)
            return image_rows.records(connection, query)

    def _update_image(self, image_id: str, by: str | None, **values: object) -> None:
        which = (images.c.id == image_id) & image_rows.PRESENT
        with self._writing() as connection:
            query = update(images).where(which).values(values).returning(images.c.project_id)
            project_id = connection.execute(query).scalar_one_or_none()
            if project_id is None:
                raise NotFound("There is no such image.")
            project_versions.mark_image(connection, project_id, image_id, by)
