"""Images are reviewed and taken, and projects count their changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns, and make the tables."""
    op.add_column("images", sa.Column("reviewer", sa.Text))
    op.add_column("images", sa.Column("review_comment", sa.Text))
    op.add_column("images", sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("images", sa.Column("changed_by", sa.Text))
    op.create_index("ix_images_project_id_version", "images", ["project_id", "version"])
    op.create_table(
        "project_versions",
        sa.Column("project_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("labels_version", sa.BigInteger, nullable=False),
        sa.Column("project_version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "places",
        sa.Column("user_name", sa.Text, primary_key=True),
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("image_id", sa.Text, sa.ForeignKey("images.id"), nullable=False, index=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False, index=True),
    )


def downgrade() -> None:
    """Take that back. What was approved is done, and what was rejected is in progress."""
    op.drop_table("places")
    op.drop_table("project_versions")
    op.drop_index("ix_images_project_id_version", "images")
    for column in ("changed_by", "version", "review_comment", "reviewer"):
        op.drop_column("images", column)
    for verdict, status in (("approved", "done"), ("rejected", "in_progress")):
        op.execute(sa.text("UPDATE images SET status = :s WHERE status = :v").bindparams(s=status, v=verdict))
