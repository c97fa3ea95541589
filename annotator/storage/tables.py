"""The tables of the database as they are now; `migrations/` holds every step that led here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
)

metadata = MetaData()

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False, index=True),
    Column("deleted", Boolean, nullable=False, server_default=false()),  # hidden with all it has, until purged
)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("color", Text, nullable=False),
    Column("supercategory", Text, nullable=False),
    Column("key", Text),
    Column("deleted", Boolean, nullable=False, default=False),  # the row stays: undo may bring its annotations back
    Column("category_id", BigInteger),  # in files of other tools
    Column("merged_into", ForeignKey("labels.id")),  # its annotations count as that label's; then it is deleted too
    UniqueConstraint("project_id", "name"),
)

images = Table(
    "images",
    metadata,
    Column("ordinal", Integer, primary_key=True),  # order of creation
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("content_key", Text, nullable=False, index=True),
    Column("pixel_key", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("orientation", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("revision", Integer, nullable=False, default=0),
    Column("next_position", Integer, nullable=False, default=0),
    Column("stretched", Boolean, nullable=False, server_default=false()),  # its values were spread over 8 bits
    Column("reviewer", Text),  # who gave the last verdict
    Column("review_comment", Text),
    Column("version", BigInteger, nullable=False, server_default="0"),  # the project's, after the image's last change
    Column("changed_by", Text),
    Index("ix_images_project_id_version", "project_id", "version"),
)

annotation_rows = Table(
    "annotations",
    metadata,
    Column("image_id", ForeignKey("images.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),  # place among the image's annotations, kept for life
    Column("label_id", ForeignKey("labels.id"), nullable=False, index=True),
    Column("counts", Text, nullable=False),  # COCO's compressed RLE
    Column("area", Integer, nullable=False),
    Column("x", Integer, nullable=False),
    Column("y", Integer, nullable=False),
    Column("w", Integer, nullable=False),
    Column("h", Integer, nullable=False),
    Column("score", Double),
    Column("source", Text, nullable=False),
    Column("prompts", Text, nullable=False),  # JSON
    Column("crowd", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("image_id", "position"),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("request_id", Text),
    Column("state", Text, nullable=False),  # done, undone, or dead: undone and overtaken by another change
    Column("changes", Text, nullable=False),  # JSON: [[row before or null, row after or null], ...]
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("author", Text),  # name of a user; null in events from before there were users
    Column("added", Integer, nullable=False, server_default="0"),  # annotations that it adds
    UniqueConstraint("image_id", "request_id"),
    Index("ix_events_image_id_state_id", "image_id", "state", "id"),
    Index("ix_events_image_id_state_author_added", "image_id", "state", "author", "added"),  # all that counting reads
)

project_versions = Table(
    "project_versions",
    metadata,
    # No foreign key: its check would wait for who has locked the project, and who has it may wait for this row.
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("labels_version", BigInteger, nullable=False),  # when the labels changed last
    Column("project_version", BigInteger, nullable=False),  # when the name or the members changed last
)

places = Table(
    "places",
    metadata,
    Column("user_name", Text, primary_key=True),
    Column("client", Text, primary_key=True),  # a browser tab
    Column("image_id", ForeignKey("images.id"), nullable=False, index=True),  # the image that it has open
    Column("seen_at", BigInteger, nullable=False, index=True),  # seconds of the database's clock
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("is_admin", Boolean, nullable=False),
    Column("password_hash", Text),  # argon2's; null for somebody whom only a proxy vouches for
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("digest", Text, primary_key=True),  # sha256 of the token, which is nowhere kept
    Column("user_name", ForeignKey("users.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("used_on", Date),
    UniqueConstraint("user_name", "name"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("project_id", ForeignKey("projects.id"), primary_key=True),
    Column("user_name", ForeignKey("users.name"), primary_key=True, index=True),
    Column("role", Text, nullable=False),  # annotator or reviewer
)

ended_logins = Table(
    "ended_logins",
    metadata,
    Column("id", Text, primary_key=True),  # in the cookie, which would be valid until it is too old
    Column("ended_at", DateTime(timezone=True), nullable=False),
)
