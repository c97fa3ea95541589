"""The tables of the first release. Databases made before alembic was used have exactly these."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of an empty database."""
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False, index=True),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("color", sa.Text, nullable=False),
        sa.Column("supercategory", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "images",
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("content_key", sa.Text, nullable=False, index=True),
        sa.Column("pixel_key", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("orientation", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("next_position", sa.Integer, nullable=False),
    )
    op.create_table(
        "annotations",
        sa.Column("image_id", sa.Text, sa.ForeignKey("images.id"), primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("label_id", sa.Integer, sa.ForeignKey("labels.id"), nullable=False, index=True),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("area", sa.Integer, nullable=False),
        sa.Column("x", sa.Integer, nullable=False),
        sa.Column("y", sa.Integer, nullable=False),
        sa.Column("w", sa.Integer, nullable=False),
        sa.Column("h", sa.Integer, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("prompts", sa.Text, nullable=False),
        sa.UniqueConstraint("image_id", "position"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("image_id", sa.Text, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("image_id", "request_id"),
        sa.Index("ix_events_image_id_state_id", "image_id", "state", "id"),
    )
