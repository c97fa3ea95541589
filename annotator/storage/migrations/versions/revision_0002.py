"""Projects can be removed and restored, labels merged and split off again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the two columns."""
    op.add_column("projects", sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("ALTER TABLE labels ADD COLUMN merged_into INTEGER REFERENCES labels (id)")
