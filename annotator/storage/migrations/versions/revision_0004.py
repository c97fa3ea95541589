"""Images know whether their values were stretched to be shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("images", sa.Column("stretched", sa.Boolean, nullable=False, server_default=sa.false()))
