"""Events tell how many annotations they add, so that who did what is counted without reading their JSON."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_ADDED = "[null, {"
"""Stands in the JSON of an event once for each annotation that the event adds: nothing before, a row after. It cannot
stand inside of a row: texts there hold runs, ids and numbers."""


def upgrade() -> None:
    """Add the column and the index, and count."""
    op.add_column("events", sa.Column("added", sa.Integer, nullable=False, server_default="0"))
    count = "UPDATE events SET added = (length(changes) - length(replace(changes, :added, ''))) / :length"
    op.execute(sa.text(count).bindparams(added=_ADDED, length=len(_ADDED)))
    op.create_index("ix_events_image_id_state_author_added", "events", ["image_id", "state", "author", "added"])


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_events_image_id_state_author_added", "events")
    op.drop_column("events", "added")
