"""Opening a database: new, old, newer or foreign, on real SQLite and real PostgreSQL."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, select, text

from annotator.errors import DatabaseUnavailable, InvalidSetting
from annotator.storage import database
from annotator.storage.store import Store
from annotator.storage.tables import events, metadata
from annotator.types import Change, History, Label, Project

pytest_plugins = ["postgres"]

DATA = Path(__file__).with_name("data")
HEAD = ScriptDirectory(str(database.MIGRATIONS)).get_current_head()


def load_old(url: str) -> None:
    """Make a database as commit cd336bb left it, before alembic: see the files in `data`."""
    address = make_url(url)
    if address.drivername == "sqlite":
        with sqlite3.connect(str(address.database)) as connection:
            connection.executescript((DATA / "old_database.sqlite.sql").read_text())
        connection.close()
    else:
        plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as server:
            server.execute((DATA / "old_database.postgresql.sql").read_text())


@pytest.fixture
def old_url(store_url: str) -> str:
    load_old(store_url)
    return store_url


@pytest.fixture
def revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this program's revisions to which a test may add."""
    folder = tmp_path / "100% migrations"
    shutil.copytree(database.MIGRATIONS, folder)
    monkeypatch.setattr(database, "MIGRATIONS", folder)
    return folder / "versions"


def add_revision(folder: Path, name: str, after: str, *statements: str) -> None:
    lines = ["from alembic import op", f"revision, down_revision = {name!r}, {after!r}", "def upgrade() -> None:"]
    (folder / f"{name}.py").write_text("\n".join([*lines, *(f"    op.execute({each!r})" for each in statements)]))


def revision_of(url: str) -> str | None:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return found


def columns_of(url: str, table: str) -> set[str]:
    engine = create_engine(url)
    columns = {column["name"] for column in inspect(engine).get_columns(table)}
    engine.dispose()
    return columns


def test_the_database_outlives_the_program(store_url: str) -> None:
    store = Store(store_url)
    project = store.create_project("birds", "ann")
    store.close()
    again = Store(store_url)
    assert again.projects("ann") == [project]
    again.close()


def test_the_revisions_make_the_tables_that_the_program_uses(store_url: str) -> None:
    Store(store_url).close()
    engine = create_engine(store_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_an_old_database_opens_with_its_objects_and_its_history(old_url: str) -> None:
    store = Store(old_url)
    assert store.projects("ann") == [Project(1, "birds", "ann")]
    assert [(label.name, label.key) for label in store.labels(1)] == [("cat", "1"), ("dog", "2"), ("cow", "4")]
    assert [image.id for image in store.images(1)[1]] == ["a", "b"] and store.image("b").status == "done"
    assert store.image("removed", removed=True).orientation == 6
    assert [(each.id, each.label_id) for each in store.annotations("a")] == [("first", 2), ("second", 2)]
    assert store.history("a") == History(5, "relabel object", "delete object")
    assert store.redo("a").redo is None and [each.id for each in store.annotations("a")] == ["first"]
    for _ in range(4):
        store.undo("a")
    assert store.history("a").undo is None and store.annotations("a") == []
    store.redo("a")
    assert store.annotations("a")[0].prompts == {"points": [[3, 3, 1]], "box": None}
    store.restore_image("removed")
    assert [each.id for each in store.annotations("removed")] == ["hidden"]
    assert store.add_label(1, "gone") == Label(3, 1, "gone", "#009e73", "", "3")
    store.close()


def test_an_old_database_becomes_like_a_new_one(old_url: str) -> None:
    Store(old_url).close()
    assert revision_of(old_url) == HEAD
    engine = create_engine(old_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    Store(old_url).close()


def test_events_of_old_and_new_databases_tell_how_many_objects_they_add(old_url: str) -> None:
    store = Store(old_url)
    first = store.annotation("a", "first")
    store.commit("a", "keep", [Change(None, replace(first, id=each)) for each in ("x", "y")], None, "ann")
    store.commit("a", "delete object", [Change(first, None)], None, "ann")
    store.close()
    engine = create_engine(old_url)
    with engine.connect() as connection:
        told = connection.execute(select(events.c.changes, events.c.added)).all()
    engine.dispose()
    assert [added for _, added in told] == [sum(before is None for before, _ in json.loads(each)) for each, _ in told]
    assert {0, 1, 2} <= {added for _, added in told}


@pytest.mark.parametrize("old", [False, True])
def test_many_programs_may_open_a_database_at_once(store_url: str, old: bool) -> None:
    if old:
        load_old(store_url)
    code = "import sys; from annotator.storage.store import Store; print(len(Store(sys.argv[1]).projects('ann')))"
    programs = [
        subprocess.Popen([sys.executable, "-c", code, store_url], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(Store, [store_url] * 4))
    expected = {len(store.projects("ann")) for store in stores}
    assert {int(program.communicate()[0]) for program in programs} == expected
    for store in stores:
        store.close()
    assert revision_of(store_url) == HEAD


def test_a_newer_database_is_refused_in_a_sentence(
    store_url: str, revisions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_revision(revisions, "newer", str(HEAD), "ALTER TABLE projects ADD COLUMN one TEXT")
    Store(store_url).close()
    monkeypatch.undo()
    with pytest.raises(DatabaseUnavailable, match=r"^The database was made by a newer version[^.]*: update[^.]*\.$"):
        Store(store_url)
    assert revision_of(store_url) == "newer"


def test_an_older_database_is_migrated_in_order(store_url: str, revisions: Path) -> None:
    before = Store(store_url)
    project = before.create_project("birds", "ann")
    add_revision(revisions, "next", str(HEAD), "ALTER TABLE projects ADD COLUMN one TEXT")
    add_revision(revisions, "last", "next", "ALTER TABLE projects RENAME COLUMN one TO two")
    for _ in range(2):
        migrated = Store(store_url)
        assert migrated.project(project.id) == project
        migrated.close()
        assert revision_of(store_url) == "last" and "two" in columns_of(store_url, "projects")
    before.close()


@pytest.mark.parametrize("old", [False, True])
def test_a_failed_migration_changes_nothing(store_url: str, old: bool, revisions: Path) -> None:
    if old:
        load_old(store_url)
    else:
        Store(store_url).close()
    before = revision_of(store_url)
    statements = ["ALTER TABLE projects ADD COLUMN one TEXT", "UPDATE no_such_table SET x = 1"]
    add_revision(revisions, "next", str(HEAD), *statements)
    with pytest.raises(DatabaseUnavailable):
        Store(store_url)
    assert revision_of(store_url) == before and "one" not in columns_of(store_url, "projects")
    engine = create_engine(store_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM projects")).scalar_one() == (2 if old else 0)
    engine.dispose()


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/name", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidSetting):
        Store(url)


def test_a_server_that_is_not_there_is_said_in_a_sentence() -> None:
    with pytest.raises(DatabaseUnavailable) as failure:
        Store("postgresql+psycopg://nobody@127.0.0.1:9/none?connect_timeout=2")
    assert "\n" not in str(failure.value)


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "annotator.db"
    path.write_bytes(b"this is a diary, not a database" * 100)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        Store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is a diary")
    with pytest.raises(DatabaseUnavailable):
        Store(f"sqlite:///{path}/inside.db")
