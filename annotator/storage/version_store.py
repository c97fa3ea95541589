"""What changed in projects, for those who watch them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from annotator.storage import image_rows
from annotator.storage.database import Database
from annotator.storage.tables import images, project_versions
from annotator.types import ChangedImage, ImageRecord, ProjectVersion


class VersionStore(Database):
    """The part of the store that knows versions."""

    def version(self, project_id: int) -> ProjectVersion:
        """How far the project has come."""
        return self.versions([project_id])[project_id]

    def versions(self, project_ids: Collection[int]) -> dict[int, ProjectVersion]:
        """How far each of the projects has come."""
        found = dict.fromkeys(project_ids, ProjectVersion())
        query = select(project_versions).where(project_versions.c.project_id.in_(project_ids))
        with self._reading() as connection:
            for project_id, *version in connection.execute(query):
                found[project_id] = ProjectVersion(*version)
        return found

    def images_changed_since(self, project_id: int, version: int, limit: int) -> list[ChangedImage]:
        """The first `limit` images, removed ones among them, that changed after this version, oldest change first."""
        query = (
            select(*image_rows.COLUMNS, images.c.deleted, images.c.revision, images.c.changed_by)
            .where(images.c.project_id == project_id, images.c.version > version)
            .order_by(images.c.version)
            .limit(limit)
        )
        with self._reading() as connection:
            return [ChangedImage(ImageRecord(*row[:-3]), *row[-3:]) for row in connection.execute(query)]
