"""Counts of a project: how far its images are, how many objects each label has, and who did what."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import ColumnElement, Connection, distinct, func, select

from annotator.storage import image_rows, label_rows
from annotator.storage.database import Database
from annotator.storage.tables import annotation_rows, events, images
from annotator.types import LOCAL_USER, Contribution, ProjectSummary


class SummaryStore(Database):
    """The part of the store that counts."""

    def summary(self, project_id: int) -> ProjectSummary:
        """The counts of a project. Removed images, and changes that were undone, do not count."""
        here = (images.c.project_id == project_id) & image_rows.PRESENT
        by_status = select(images.c.status, func.count()).where(here).group_by(images.c.status)
        by_label = select(annotation_rows.c.label_id, func.count()).join_from(annotation_rows, images).where(here)
        with self._reading() as connection:
            merged = label_rows.merged_ids(connection, project_id)
            statuses = {row[0]: row[1] for row in connection.execute(by_status)}
            objects = Counter[int]()
            for label_id, count in connection.execute(by_label.group_by(annotation_rows.c.label_id)):
                objects[merged.get(label_id, label_id)] += count
            return ProjectSummary(statuses, dict(objects), _contributions(connection, here))


def _contributions(connection: Connection, here: ColumnElement[bool]) -> list[Contribution]:
    """What each author did, who made most objects first."""
    author = func.nullif(events.c.author, LOCAL_USER)
    query = (
        select(author, func.sum(events.c.added), func.count(distinct(events.c.image_id)))
        .join_from(events, images)
        .where(here, events.c.state == "done")
        .group_by(author)
    )
    found = [Contribution(user, int(made), worked_on) for user, made, worked_on in connection.execute(query)]
    return sorted(found, key=lambda each: (-each.objects, each.user or ""))
