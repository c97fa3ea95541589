"""What the store knows for people who work together, on real SQLite and real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.config import Config
from journal_writer import keep
from sqlalchemy import create_engine, inspect, text, update

from annotator.errors import Conflict, InvalidRequest, NotFound
from annotator.storage import database, place_store
from annotator.storage.store import Store
from annotator.storage.tables import places
from annotator.types import LOCAL_USER, Account, ImageRecord, Place, Project, ProjectVersion

pytest_plugins = ["postgres"]

TAB, OTHER = "tab-of-ann", "tab-of-bob"


@pytest.fixture
def project(store: Store) -> Project:
    project = store.create_project("birds", "ann")
    for name in "abcd":
        store.add_image(ImageRecord(name, project.id, f"{name}.jpg", "sha", f"pixels-{name}", 40, 30))
    return project


def changed(store: Store, project: Project, since: ProjectVersion) -> list[tuple[str, bool, str | None]]:
    found = store.images_changed_since(project.id, since.version, 100)
    return [(each.image.id, each.removed, each.by) for each in found]


# --- who is where ---


def test_an_image_is_taken_until_its_tab_opens_another_one_or_is_silent(store: Store, project: Project) -> None:
    store.take("a", "ann", TAB)
    store.take("b", "bob", OTHER)
    assert store.places([project.id, 99]) == {project.id: [Place("a", "ann", TAB), Place("b", "bob", OTHER)], 99: []}
    store.take("c", "ann", TAB)
    assert store.places([project.id])[project.id] == [Place("c", "ann", TAB), Place("b", "bob", OTHER)]
    silence = text("UPDATE places SET seen_at = seen_at - :s").bindparams(s=place_store.FREE_SECONDS)
    with store._writing() as connection:
        connection.execute(silence)
    assert store.places([project.id])[project.id] == []
    store.renew_places([("ann", TAB), ("somebody", OTHER)])
    assert [each.user for each in store.places([project.id])[project.id]] == ["ann"]
    with pytest.raises(NotFound):
        store.take("none", "ann", TAB)


def test_a_tab_whose_connection_ended_may_come_back_for_a_moment(store: Store, project: Project) -> None:
    store.take("a", "ann", TAB)
    store.leave_place("ann", TAB)
    assert store.places([project.id])[project.id]
    with store._writing() as connection:
        connection.execute(update(places).values(seen_at=places.c.seen_at - place_store.LEFT_SECONDS))
    assert not store.places([project.id])[project.id]


def test_a_tab_in_another_project_and_a_member_no_longer_have_no_image_open(store: Store, project: Project) -> None:
    other = store.create_project("fish", "bob")
    store.save_user(Account("bob"))
    store.save_member(project.id, "bob", "annotator")
    store.take("a", "bob", OTHER)
    store.leave_others(project.id, "bob", OTHER)
    assert store.places([project.id])[project.id]
    store.leave_others(other.id, "bob", OTHER)
    assert not store.places([project.id])[project.id]
    store.take("a", "bob", OTHER)
    store.remove_member(project.id, "bob")
    store.renew_places([("bob", OTHER)])
    assert not store.places([project.id])[project.id]


def test_the_next_image_is_the_first_one_that_is_free_and_not_finished(store: Store, project: Project) -> None:
    def next_one(user: str, client: str, after: str | None = None) -> str | None:
        found = store.take_next(project.id, user, client, after)
        return found and found.id

    assert next_one("ann", TAB) == "a"
    assert next_one("bob", OTHER) == "b"
    store.set_status("c", "done")
    assert next_one("ann", TAB, after="a") == "d"
    assert next_one("ann", TAB, after="d") == "a", "it begins again at the first one"
    store.review("d", "approved", "bob")
    assert next_one("ann", TAB, after="a") is None, "the others are finished, and one is bob's"
    store.delete_image("b")
    store.review("c", "rejected", "bob", "more birds")
    assert next_one("bob", OTHER, after="b") == "c"


def test_people_who_ask_at_once_get_different_images(store: Store, project: Project) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: store.take_next(project.id, name, f"tab-of-{name}"), ["p", "q", "r", "s"]))
    assert {each.id for each in found if each} == set("abcd")


def test_one_tab_that_opens_images_in_haste_is_at_one_of_them(store: Store, project: Project) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: store.take(name, "ann", TAB), "abcdabcd"))
    assert len(store.places([project.id])[project.id]) == 1


def test_one_user_takes_so_many_images_of_a_project_and_no_more(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place_store, "MOST_TABS", 2)
    store.take("a", "bob", OTHER)
    for seconds, name in enumerate("bcd"):
        store.take(name, "ann", f"tab-of-ann-{name}")
        with store._writing() as connection:
            connection.execute(update(places).values(seen_at=places.c.seen_at - 1 - seconds))
    assert {each.image_id for each in store.places([project.id])[project.id]} == set("acd")
    assert store.take_next(project.id, "ann", TAB) is not None
    assert {each.image_id for each in store.places([project.id])[project.id]} == set("abd")
    other = store.create_project("cats", "ann")
    store.add_image(ImageRecord("cat", other.id, "cat.jpg", "sha", "pixels-cat", 40, 30))
    store.take("cat", "ann", "tab-of-ann-cat")
    assert len(store.places([project.id])[project.id]) == 3
    for name in "bcd":
        store.take(name, LOCAL_USER, f"somebody-{name}")
    assert len(store.places([project.id])[project.id]) == 6, "without a login, that is everybody"


# --- what changed ---


def test_every_change_of_a_project_advances_its_version(store: Store, project: Project) -> None:
    other = store.create_project("cats", "ann")
    label = store.add_label(project.id, "bird")
    before = store.version(project.id)
    store.commit("b", "keep", [keep("b", "one", label.id)], author="bob")
    assert changed(store, project, before) == [("b", False, "bob")]
    store.undo("b", by="ann")
    store.redo("b", by="eve")
    store.set_status("a", "done", "ann")
    store.delete_image("c", "ann")
    assert changed(store, project, before) == [("b", False, "eve"), ("a", False, "ann"), ("c", True, "ann")]
    middle = store.version(project.id)
    assert (middle.labels, middle.project) == (before.labels, before.project)
    store.restore_image("c", "bob")
    assert changed(store, project, middle) == [("c", False, "bob")]
    assert store.images_changed_since(project.id, before.version, 1)[0].image.id == "b"
    store.ensure_label(project.id, "bird")
    assert store.version(project.id).labels == before.labels, "it was there"
    for change in (
        lambda: store.ensure_label(project.id, "owl"),
        lambda: store.merge_labels(store.add_label(project.id, "bard").id, label.id),
        lambda: store.split_label(label.id + 2),
        lambda: store.delete_label(label.id + 2),
    ):
        last = store.version(project.id)
        change()
        assert store.version(project.id).labels > last.version
    store.save_user(Account("bob"))
    for change in (
        lambda: store.save_member(project.id, "bob", "annotator"),
        lambda: store.remove_member(project.id, "bob"),
        lambda: store.rename_project(project.id, "all birds"),
        lambda: store.remove_project(project.id),
    ):
        last = store.version(project.id)
        change()
        assert store.version(project.id).project > last.version
    assert store.version(other.id) == ProjectVersion()
    store.purge()
    assert store.version(project.id) == ProjectVersion()


def test_versions_are_seen_in_their_order_though_many_change_at_once(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "bird")
    before = store.version(project.id)
    told: dict[str, int] = {}

    def watch() -> None:
        seen = before.version
        while seen < before.version + 40:
            now = store.version(project.id).version
            for each in store.images_changed_since(project.id, seen, 100):
                told[each.image.id] = each.revision
            seen = now

    def work(name: str) -> None:
        for number in range(10):
            store.commit(name, "keep", [keep(name, f"{name}{number}", label.id)])

    with ThreadPoolExecutor(5) as pool:
        watching = pool.submit(watch)
        list(pool.map(work, "abcd"))
        watching.result(60)
    assert told == dict.fromkeys("abcd", 10)


# --- review ---


def test_a_verdict_stays_until_the_next_one_and_an_approval_until_the_next_change(
    store: Store, project: Project
) -> None:
    label = store.add_label(project.id, "bird")
    store.commit("a", "keep", [keep("a", "one", label.id)], author="ann")
    store.set_status("a", "done", "ann")
    with pytest.raises(InvalidRequest, match="comment"):
        store.review("a", "rejected", "bob", "")
    with pytest.raises(Conflict, match="changed while you looked"):
        store.review("a", "approved", "bob", revision=0)
    store.review("a", "rejected", "bob", "two birds are missing", revision=1)
    store.commit("a", "keep", [keep("a", "two", label.id)], author="ann")
    image = store.image("a")
    assert (image.status, image.reviewer, image.review_comment) == ("rejected", "bob", "two birds are missing")
    store.set_status("a", "done", "ann")
    assert store.image("a").review_comment == "two birds are missing", "the reviewer sees what was asked for"
    store.review("a", "approved", "bob", revision=2)
    assert store.image("a").review_comment is None
    store.undo("a", by="ann")
    assert store.image("a").status == "in_progress"


def test_the_migration_can_be_undone(store_url: str) -> None:
    store = Store(store_url)
    project = store.create_project("birds", "ann")
    for name in "ab":
        store.add_image(ImageRecord(name, project.id, f"{name}.jpg", "sha", f"pixels-{name}", 40, 30))
    store.review("a", "approved", "bob")
    store.review("b", "rejected", "bob", "no")
    store.take("a", "ann", TAB)
    store.close()
    engine = create_engine(store_url)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(database.MIGRATIONS))
        command.downgrade(config, "0005")
        found = connection.execute(text("SELECT id, status FROM images ORDER BY id")).all()
        assert [tuple(row) for row in found] == [("a", "done"), ("b", "in_progress")]
        assert not {"places", "project_versions"} & set(inspect(connection).get_table_names())
    engine.dispose()
    again = Store(store_url)
    assert again.image("a").status == "done" and again.version(project.id) == ProjectVersion()
    again.close()
