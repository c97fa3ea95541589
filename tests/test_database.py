"""A database that is locked, lost or asked too often: said in a sentence, soon, and nothing is half-written."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from journal_writer import keep
from sqlalchemy import event, make_url

from annotator.errors import DatabaseUnavailable, StorageFull
from annotator.storage import database
from annotator.storage.store import Store
from annotator.types import ImageRecord

pytest_plugins = ["postgres"]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with one image, "i" of 40 x 30 pixels, and the label 1."""
    store = Store(store_url)
    project = store.create_project("birds", "ann")
    store.add_label(project.id, "cat")
    store.add_image(ImageRecord("i", project.id, "i.jpg", "c", "p", 40, 30))
    yield store
    store.close()


def plain_url(url: str) -> str:
    """As psycopg itself understands it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program has locked the image in PostgreSQL, or the whole database in SQLite."""
    address = make_url(url)
    if address.drivername == "sqlite":
        connection = sqlite3.connect(str(address.database), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.rollback()
            connection.close()
    else:
        with psycopg.connect(plain_url(url)) as server:
            server.execute("SELECT * FROM images FOR UPDATE")
            yield


def test_all_waiting_writers_give_up_at_one_deadline(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, writers = 1.0, 16
    monkeypatch.setattr(database, "WAIT_SECONDS", wait)
    with locked(store_url), ThreadPoolExecutor(writers) as pool:
        start = time.monotonic()
        work = [pool.submit(store.commit, "i", "keep", [keep("i", f"{number}", 1)]) for number in range(writers)]
        errors = [each.exception() for each in work]
        took = time.monotonic() - start
        assert store.annotations("i") == []  # reading goes on
    assert {type(error) for error in errors} == {DatabaseUnavailable}
    assert {str(error) for error in errors} == {
        "The database is busy with another change, and nothing was changed: try again."
    }
    assert took < wait * writers / 2  # one after the other, they would take twice that
    store.commit("i", "keep", [keep("i", "a", 1)])
    assert [each.id for each in store.annotations("i")] == ["a"]


def test_a_writer_goes_on_as_soon_as_the_lock_is_gone(store: Store, store_url: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locked(store_url):
            work = pool.submit(store.commit, "i", "keep", [keep("i", "a", 1)])
            assert not work.done()
        assert work.result().revision == 1


def test_many_exports_at_once_leave_a_connection_for_clicks(store: Store) -> None:
    store.commit("i", "keep", [keep("i", f"{number}", 1) for number in range(2)])
    running = [store.iter_annotations(store.image("i").project_id) for _ in range(30)]
    assert {next(each).id for each in running} == {"0"}
    assert store.commit("i", "keep", [keep("i", "more", 1)]).revision == 2
    for each in running:
        each.close()  # type: ignore[attr-defined]


def test_lost_connections_are_made_again(postgres_url: str) -> None:
    store = Store(make_url(postgres_url).update_query_dict({"application_name": "lost"}).render_as_string(False))
    store.create_project("birds", "ann")
    with psycopg.connect(plain_url(postgres_url)) as server:
        lost = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lost'"
        assert server.execute(lost).fetchall() == [(True,)]
    assert [project.name for project in store.projects("ann")] == ["birds"]
    store.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("53100", StorageFull),
        ("40P01", DatabaseUnavailable),
        ("55P03", DatabaseUnavailable),
        ("58030", DatabaseUnavailable),
    ],
)
def test_what_fails_inside_postgresql_leaves_nothing_half_written(
    postgres_url: str, code: str, expected: type[Exception]
) -> None:
    store = Store(postgres_url)
    project = store.create_project("birds", "ann")
    label = store.add_label(project.id, "cat")
    store.add_image(ImageRecord("i", project.id, "i.jpg", "c", "p", 40, 30))
    with psycopg.connect(plain_url(postgres_url)) as server:
        fail = f"BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '{code}'; END"
        server.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $${fail}$$")
        server.execute("CREATE TRIGGER fail AFTER INSERT ON events EXECUTE FUNCTION fail()")
    with pytest.raises(expected, match=r"^[^\n]+$"):
        store.commit("i", "keep", [keep("i", "a", label.id)])
    assert store.annotations("i") == [] and store.history("i").revision == 0
    store.close()


def test_a_sqlite_file_that_is_gone_is_said_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store = Store(f"sqlite:///{folder}/annotator.db")
    store.close()
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(DatabaseUnavailable, match=r"^The database is not available: [^\n]+$"):
        store.create_project("birds", "ann")


@pytest.mark.parametrize(
    ("most", "use"),
    [
        (1, lambda store: store.image("i", "ann")),
        (1, lambda store: store.label(1, "ann")),
        (1, lambda store: store.history("i")),
        (1, lambda store: store.images_by_id(["i", "j"], "ann")),
        (1, lambda store: store.annotation_counts(["i", "j"])),
        (4, lambda store: store.document("i")),
        (13, lambda store: store.commit("i", "keep", [keep("i", f"more {number}", 1) for number in range(200)])),
    ],
)
def test_the_number_of_statements_does_not_grow_with_the_objects(store: Store, most: int, use: object) -> None:
    store.commit("i", "keep", [keep("i", f"{number}", 1) for number in range(200)])
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SET LOCAL")):
            statements.append(statement)

    event.listen(store._engine, "before_cursor_execute", count)
    use(store)  # type: ignore[operator]
    assert len(statements) <= most, statements
