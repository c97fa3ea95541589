"""Crowds and category ids of imported files are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the two columns."""
    op.add_column("annotations", sa.Column("crowd", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("labels", sa.Column("category_id", sa.BigInteger))
