"""Connecting to SQLite or PostgreSQL: brings the database to the newest revision and translates its errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, SQLAlchemyError

from annotator.errors import Conflict, DatabaseUnavailable, InvalidRequest, InvalidSetting, StorageFull

MIGRATIONS = Path(__file__).with_name("migrations")

_FIRST_REVISION = "0001"
"""Of the databases from before alembic, which count their versions in a table `schema_version`."""

_MIGRATION_LOCK = 0x5A4D2
"""Any number: programs that open the same PostgreSQL database at once take turns by it."""

_BUSY_SECONDS = 30
"""How long a write waits for another one in SQLite."""

_DISK_FULL = "53100"
"""PostgreSQL's code for it."""


def connect(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://...` on a database of the newest revision.

    On SQLite, a connection with the execution option `write` takes the write lock as its transaction begins.
    Raises `InvalidSetting` for any other address, `DatabaseUnavailable` if the database is newer than this program.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise InvalidSetting(f"The database address {url!r} is not understood.") from error
    if address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif address.drivername in ("postgresql", "postgresql+psycopg"):
        try:
            engine = create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        except ImportError as error:
            raise InvalidSetting("PostgreSQL needs psycopg: pip install 'annotator[postgres]'.") from error
    else:
        raise InvalidSetting("The database is sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
    with engine.execution_options(write=True).begin() as connection:
        migrate(connection)
    return engine


def migrate(connection: Connection) -> None:
    """Bring the database to the newest revision, in the transaction of the connection."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None and inspect(connection).has_table("schema_version"):
        command.stamp(config, _FIRST_REVISION)
        connection.execute(text("DROP TABLE schema_version"))
    elif present is not None and present not in {each.revision for each in scripts.walk_revisions()}:
        raise DatabaseUnavailable("The database was made by a newer version of this program: update the program.")
    if present != scripts.get_current_head():
        command.upgrade(config, "head")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Errors of the database as those of this program."""
    try:
        yield
    except (DataError, OverflowError, UnicodeEncodeError) as error:  # text or numbers that no database can hold
        raise InvalidRequest("The request has a text or a number that cannot be stored.") from error
    except IntegrityError as error:
        raise Conflict("This exists already, or refers to something that does not exist.") from error
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        if _is_disk_full(cause):
            raise StorageFull("The disk of the database is full, and nothing was changed.") from error
        reason = str(cause).partition("\n")[0]
        raise DatabaseUnavailable(f"The database is not available: {reason}") from error


def _is_disk_full(error: BaseException) -> bool:
    codes = (getattr(error, "errno", None), getattr(error, "sqlstate", None), getattr(error, "sqlite_errorname", None))
    return bool({errno.ENOSPC, errno.EDQUOT, _DISK_FULL, "SQLITE_FULL"} & set(codes))


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 starts no transactions of its own
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
