"""Users, their API tokens, who may work on whose project, and authors in the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables, and add the column."""
    op.create_table(
        "users",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.create_table(
        "api_tokens",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("user_name", sa.Text, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("used_on", sa.Date),
        sa.UniqueConstraint("user_name", "name"),
    )
    op.create_table(
        "memberships",
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("user_name", sa.Text, sa.ForeignKey("users.name"), primary_key=True, index=True),
        sa.Column("role", sa.Text, nullable=False),
    )
    op.add_column("events", sa.Column("author", sa.Text))
