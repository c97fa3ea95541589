"""A real PostgreSQL server for tests: the one ANNOTATOR_TEST_POSTGRES names, else a throw-away one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from annotator.storage.store import Store


def _binaries() -> Path:
    """The folder of initdb and pg_ctl; skips the test if there is none."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("no PostgreSQL server is installed (apt install postgresql) and ANNOTATOR_TEST_POSTGRES is not set")
    return folders[-1]


class Postgres:
    """A throw-away server that listens on a socket in its temporary folder only."""

    def __init__(self, binaries: Path, fsync: bool = False) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="annotator-postgres-"))
        self._as_user: dict[str, object] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            known = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = known.get("postgres") or known["nobody"]
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        options = ["-c listen_addresses=", f"-c unix_socket_directories={self._folder}"]
        self._options = " ".join([*options, f"-c fsync={'on' if fsync else 'off'}"])

    def start(self) -> None:
        """Make the data folder if there is none, start and wait until it answers."""
        if not (self._folder / "data").exists():
            self._call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self._call("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", self._options, "start")

    def crash(self) -> None:
        """End all its processes at once, as `kill -9` would; the next start recovers from the write-ahead log."""
        self._call("pg_ctl", "-m", "immediate", "stop")

    def remove(self) -> None:
        """Delete its folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self._folder / "data"), *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, cwd=self._folder, **quiet, **self._as_user)  # type: ignore[call-overload]


@contextmanager
def throw_away(fsync: bool = False) -> Iterator[Postgres]:
    """A running server of its own, removed afterwards."""
    postgres = Postgres(_binaries(), fsync)
    try:
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.crash()
    finally:
        postgres.remove()


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database on a running server."""
    if given := os.environ.get("ANNOTATOR_TEST_POSTGRES"):
        yield given
        return
    with throw_away() as postgres:
        yield postgres.url


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """The URL of a new schema on the server, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    address = make_url(server_url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            own = make_url(server_url).update_query_dict({"options": f"-csearch_path={name}"})
            yield own.render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database on PostgreSQL."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'annotator.db'}"
    else:
        with empty_database(request.getfixturevalue("postgres_server")) as url:
            yield url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store, on each kind of database in turn."""
    store = Store(store_url)
    yield store
    store.close()
