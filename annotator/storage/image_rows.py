"""The rows of images, as functions that run inside a transaction."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, insert, select

from annotator.errors import NotFound
from annotator.storage import access, label_rows
from annotator.storage.tables import images, projects
from annotator.types import ImageRecord, Right

COLUMNS = tuple(images.c[field] for field in ImageRecord.__dataclass_fields__)

_IN_PROJECT = exists().where(projects.c.id == images.c.project_id, ~projects.c.deleted)
PRESENT = ~images.c.deleted & _IN_PROJECT
"""The condition that neither an image nor its project was removed."""

REMOVED = images.c.deleted & _IN_PROJECT
"""The condition that an image can be restored."""


def add(connection: Connection, image: ImageRecord) -> ImageRecord:
    """Add an image, and return it with its ordinal."""
    values = asdict(image)
    del values["ordinal"]
    return replace(image, ordinal=connection.scalar(insert(images).values(values).returning(images.c.ordinal)))


def records(connection: Connection, query: Select[Any]) -> list[ImageRecord]:
    """The images of a query for `COLUMNS`, oldest first."""
    return [ImageRecord(*row) for row in connection.execute(query.order_by(images.c.ordinal))]


def one(
    connection: Connection, image_id: str, user: str | None = None, right: Right = "own", removed: bool = False
) -> ImageRecord:
    """An image that is present or removed. Raises as `access.one` does."""
    query = select(*COLUMNS).where(images.c.id == image_id, REMOVED if removed else PRESENT)
    return ImageRecord(*access.one(connection, query, images.c.project_id, user, right, "image"))


def lock(connection: Connection, image_id: str) -> Row[Any]:
    """Lock the image, and the labels of its project, against changes by others. Raises `NotFound`."""
    label_rows.lock_project(connection, one(connection, image_id).project_id, shared=True)  # projects before images
    row = connection.execute(select(images).where(images.c.id == image_id, ~images.c.deleted).with_for_update())
    image = row.one_or_none()
    if image is None:
        raise NotFound("There is no such image.")
    return image
