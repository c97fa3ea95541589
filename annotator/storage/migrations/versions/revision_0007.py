"""Logins that were ended, so that a copy of their cookie is worth nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ended_logins",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop the table: copies of cookies count again until their two weeks are over."""
    op.drop_table("ended_logins")
