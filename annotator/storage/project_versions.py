"""The versions of projects, as functions that run inside a transaction.

Every change of what a project has advances its version, and a changed image gets the new one: what changed since a
version is one query, however long ago that was. The row stays locked until the transaction ends, so versions are
committed in their order and nobody who reads them misses one; ids of events do not have that in PostgreSQL. It is
locked last, after projects and images, and only for a moment.
"""

from __future__ import annotations

from sqlalchemy import Connection, update

from annotator.storage.database import upsert
from annotator.storage.tables import images, project_versions


def advance(connection: Connection, project_id: int, labels: bool = False, project: bool = False) -> int:
    """The next version of the project. With `labels` or `project`, it is that of its labels, or of name and members."""
    following = project_versions.c.version + 1
    changed = {"version": True, "labels_version": labels, "project_version": project}
    first = {"project_id": project_id, **{name: int(each) for name, each in changed.items()}}
    query = upsert(connection, project_versions, first, {name: following for name, each in changed.items() if each})
    version: int = connection.execute(query.returning(project_versions.c.version)).scalar_one()
    return version


def mark_image(connection: Connection, project_id: int, image_id: str, by: str | None) -> None:
    """Advance the project's version, since somebody changed this image."""
    values = {"version": advance(connection, project_id), "changed_by": by}
    connection.execute(update(images).where(images.c.id == image_id).values(values))
