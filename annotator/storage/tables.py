"""The database: its tables, its migrations, and how to connect to SQLite or PostgreSQL.

A fresh database gets the tables below; an older one is brought forward by `MIGRATIONS`, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError

from annotator.errors import StorageFailure

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False, index=True),
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
    Column("deleted", Boolean, nullable=False, default=False),  # kept, for undo may bring its annotations back
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
    UniqueConstraint("image_id", "request_id"),
    Index("ix_events_image_id_state_id", "image_id", "state", "id"),
)

Migration = Callable[[Connection], None]

MIGRATIONS: tuple[Migration, ...] = ()
"""The n-th step takes a database from version n to n + 1, counting from 1, in step with the tables above."""

_MIGRATION_LOCK = 0x5A4D2
"""Any number: programs that open the same PostgreSQL database at once take turns by it."""

_BUSY_SECONDS = 30
"""How long a write waits for another one in SQLite."""


def connect(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://...` on a database of the current version.

    On SQLite, a connection with the execution option `write` takes the write lock as its transaction begins.
    Raises `StorageFailure` if the address is not understood or the database is newer than this program.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise StorageFailure(f"The database address {url!r} is not understood.") from error
    if address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif address.drivername in ("postgresql", "postgresql+psycopg"):
        try:
            engine = create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        except ImportError as error:
            raise StorageFailure("PostgreSQL needs psycopg: pip install 'annotator[postgres]'.") from error
    else:
        raise StorageFailure("The database is sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
    with engine.execution_options(write=True).begin() as connection:
        _migrate(connection)
    return engine


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    newest = 1 + len(MIGRATIONS)
    if not inspect(connection).has_table(schema_version.name):
        metadata.create_all(connection)
        connection.execute(insert(schema_version).values(version=newest))
        return
    version = connection.execute(select(schema_version.c.version)).scalar_one()
    if version > newest:
        raise StorageFailure(f"The database has version {version}, this program knows up to {newest}: update it.")
    for step in MIGRATIONS[version - 1 :]:
        step(connection)
    connection.execute(update(schema_version).values(version=newest))


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 starts no transactions of its own
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
