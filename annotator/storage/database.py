"""Connecting to SQLite or PostgreSQL: the newest revision, transactions, and errors as those of this program."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, SQLAlchemyError

from annotator.errors import Conflict, DatabaseUnavailable, InvalidRequest, InvalidSetting, StorageFull

MIGRATIONS = Path(__file__).with_name("migrations")

WAIT_SECONDS = 5.0
"""How long a transaction waits for others, in total, before it gives up."""

_POOL: dict[str, Any] = {"max_overflow": 35, "pool_timeout": WAIT_SECONDS}
"""With SQLAlchemy's five, a connection for each of the 40 threads that answer requests."""

_MIGRATION_SECONDS = 60.0
"""How long an opening program waits for another one that migrates the database."""

_FIRST_REVISION = "0001"
"""Of the databases from before alembic, which count their versions in a table `schema_version`."""

_MIGRATION_LOCK = 0x5A4D2
"""Any number: programs that open the same PostgreSQL database at once take turns by it."""

_LOCKED = {"SQLITE_BUSY", "55P03", "40P01"}  # PostgreSQL's codes for a lock not had in time, and for a deadlock
_FULL = {errno.ENOSPC, errno.EDQUOT, "SQLITE_FULL", "53100"}


class Database:
    """Transactions on the database behind one URL, which is created or migrated as needed.

    The URL is `sqlite:///FILE` or `postgresql+psycopg://...`. Raises `InvalidSetting` for any other, and
    `DatabaseUnavailable` if the database cannot be reached or is newer than this program.
    """

    def __init__(self, url: str) -> None:
        self._turn = Lock()
        with _translated_errors():
            self._engine = _make_engine(url)
            with self._transaction(_MIGRATION_SECONDS) as connection:
                migrate(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def check(self) -> None:
        """Read something. Raises DatabaseUnavailable if the database cannot be reached."""
        with self._reading() as connection:
            connection.execute(text("SELECT version_num FROM alembic_version")).all()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _translated_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that writes. It waits for others, at most `WAIT_SECONDS`."""
        with _translated_errors(), self._transaction(WAIT_SECONDS) as connection:
            yield connection

    @contextmanager
    def _transaction(self, seconds: float) -> Iterator[Connection]:
        if self._engine.dialect.name == "postgresql":
            with self._engine.begin() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{seconds * 1000:.0f}ms'"))
                yield connection
            return
        deadline = monotonic() + seconds
        # SQLite's waiting writers poll, so some may starve. A lock makes the writers of this process take turns.
        if not self._turn.acquire(timeout=seconds):
            raise _locked()
        try:
            with self._engine.connect().execution_options(write_until=deadline) as connection, connection.begin():
                yield connection
        finally:
            self._turn.release()


def upsert(
    connection: Connection, table: Table, row: Mapping[str, Any], values: Mapping[str, Any]
) -> postgresql.Insert | sqlite.Insert:
    """A query that inserts the row, or gives these values to the row that has its primary key already."""
    keys = list(table.primary_key)
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=values)
    return sqlite.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=values)


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


def _make_engine(url: str) -> Engine:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise InvalidSetting(f"The database address {url!r} is not understood.") from error
    if address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, **_POOL)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if address.drivername in ("postgresql", "postgresql+psycopg"):
        patient = {"connect_timeout": str(round(WAIT_SECONDS)), **address.query}
        try:
            address = address.set(drivername="postgresql+psycopg", query=patient)
            return create_engine(address, pool_pre_ping=True, **_POOL)
        except ImportError as error:
            raise InvalidSetting("PostgreSQL needs psycopg: pip install 'annotator[postgres]'.") from error
    raise InvalidSetting("The database is sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.")


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 starts no transactions of its own
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that writes takes the write lock at once, and waits for it until its deadline."""
    deadline = connection.get_execution_options().get("write_until")
    wait = WAIT_SECONDS if deadline is None else max(0.0, deadline - monotonic())
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {wait * 1000:.0f}")
    connection.exec_driver_sql("BEGIN" if deadline is None else "BEGIN IMMEDIATE")


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Errors of the database as those of this program."""
    try:
        yield
    except (DataError, OverflowError, UnicodeEncodeError) as error:  # text or numbers that no database can hold
        raise InvalidRequest("The request has a text or a number that cannot be stored.") from error
    except IntegrityError as error:
        raise Conflict("This exists already, or refers to something that does not exist.") from error
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        codes = {getattr(cause, name, None) for name in ("errno", "sqlstate", "sqlite_errorname")}
        if codes & _LOCKED:
            raise _locked() from error
        if codes & _FULL:
            raise StorageFull("The disk of the database is full, and nothing was changed.") from error
        reason = str(cause).partition("\n")[0]
        raise DatabaseUnavailable(f"The database is not available: {reason}") from error


def _locked() -> DatabaseUnavailable:
    return DatabaseUnavailable("The database is busy with another change, and nothing was changed: try again.")
