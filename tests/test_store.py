"""Projects, labels, images and failures of the store, on real SQLite and real PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from journal_writer import keep, small_mask
from sqlalchemy import event

from annotator.errors import Conflict, InvalidMask, InvalidRequest, NotFound, StorageFull
from annotator.storage import label_rows as labels
from annotator.storage.store import Store
from annotator.types import Change, ImageRecord, Project

pytest_plugins = ["postgres"]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture
def project(store: Store) -> Project:
    return store.create_project("birds", "ann")


def add_image(store: Store, project: Project, image_id: str, content: str = "sha") -> ImageRecord:
    record = ImageRecord(image_id, project.id, f"{image_id}.jpg", content, f"pixels-{image_id}", 40, 30, orientation=6)
    store.add_image(record)
    return record


def by_image(store: Store) -> list[Callable[[str], object]]:
    """What the store does with one image."""
    of_image = [store.image, store.annotations, store.history, store.undo, store.delete_image, store.restore_image]
    return [*of_image, lambda name: store.set_status(name, "done"), lambda name: store.commit(name, "nothing", [])]


# --- projects ---


def test_projects_belong_to_their_owner(store: Store) -> None:
    first, second = store.create_project("  birds ", "ann"), store.create_project("birds", "ann")
    other = store.create_project("cats", "bob")
    assert store.projects("ann") == [first, second] and store.projects("bob") == [other]
    assert store.projects("nobody") == []
    assert store.project(first.id) == first == Project(first.id, "birds", "ann")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\x00b", "\ud800"])
def test_unusable_names_are_refused(store: Store, project: Project, name: str) -> None:
    with pytest.raises(InvalidRequest):
        store.create_project(name, "ann")
    with pytest.raises(InvalidRequest):
        store.add_label(project.id, name)


def test_what_does_not_exist_is_not_found(store: Store, project: Project) -> None:
    for number in (0, -1, 10**6):
        for method in (store.project, store.delete_label, lambda number: store.add_label(number, "label")):
            with pytest.raises(NotFound):
                method(number)
    for name in ("", "x", "x" * 10_000):
        for each in by_image(store):
            with pytest.raises(NotFound):
                each(name)
    with pytest.raises(NotFound):
        store.add_image(ImageRecord("i", project.id + 1, "i.jpg", "c", "p", 1, 1))


def test_what_no_database_can_hold_is_malformed(store: Store, project: Project) -> None:
    for number in (2**63, 10**30, -(2**64)):
        for method in (store.project, store.delete_label, lambda number: store.add_label(number, "label")):
            with pytest.raises(InvalidRequest, match=r"^[^\n]+\.$"):
                method(number)
    for each in by_image(store):
        with pytest.raises(InvalidRequest):
            each("\ud800")


# --- labels ---


def test_labels_get_distinct_colours_and_the_digits_in_turn(store: Store, project: Project) -> None:
    made = [store.add_label(project.id, f"label {number}") for number in range(18)]
    assert [label.key for label in made] == [*"123456789", *[None] * 9]
    assert [label.color for label in made[:16]] == list(labels.PALETTE)
    assert len(set(labels.PALETTE)) == 16
    assert store.labels(project.id) == made


def test_labels_take_the_free_key_and_colour(store: Store, project: Project) -> None:
    first, second = store.add_label(project.id, "a"), store.add_label(project.id, "b")
    store.delete_label(first.id)
    third = store.add_label(project.id, "c")
    assert (third.key, third.color) == (first.key, first.color)
    assert store.labels(project.id) == [second, third]


def test_labels_keep_what_they_are_given(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "Zebra ", "#ABCDEF", "animal", "7")
    assert (label.name, label.color, label.supercategory, label.key) == ("Zebra", "#abcdef", "animal", "7")
    changed = replace(label, name="horse", color="#000001", supercategory="", key=None)
    assert store.update_label(changed) == changed
    assert store.labels(project.id) == [changed]


def test_names_and_keys_of_labels_are_unique_within_a_project(store: Store, project: Project) -> None:
    cat, dog = store.add_label(project.id, "cat"), store.add_label(project.id, "dog")
    with pytest.raises(Conflict, match="cat"):
        store.add_label(project.id, " cat")
    with pytest.raises(Conflict, match="cat"):
        store.add_label(project.id, "cow", key=cat.key)
    with pytest.raises(Conflict):
        store.update_label(replace(dog, name="cat"))
    with pytest.raises(Conflict):
        store.update_label(replace(dog, key=cat.key))
    assert store.labels(project.id) == [cat, dog]
    other = store.create_project("other", "ann")
    assert store.add_label(other.id, "cat").key == "1"


@pytest.mark.parametrize("fields", [{"color": "red"}, {"color": "#12345"}, {"key": "0"}, {"key": "12"}, {"key": ""}])
def test_malformed_labels_are_refused(store: Store, project: Project, fields: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        store.add_label(project.id, "label", **fields)
    assert store.labels(project.id) == []


def test_a_label_cannot_be_moved_to_another_project(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    other = store.create_project("other", "ann")
    assert store.update_label(replace(label, project_id=other.id)) == label


def test_a_label_in_use_cannot_be_deleted(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    add_image(store, project, "i")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    with pytest.raises(Conflict, match="1 annotations"):
        store.delete_label(label.id)
    store.undo("i")
    store.delete_label(label.id)
    assert store.labels(project.id) == []


def test_a_label_used_on_a_deleted_image_only_goes_and_comes_back_with_it(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    add_image(store, project, "i")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    store.delete_image("i")
    store.delete_label(label.id)
    assert store.labels(project.id) == []
    store.restore_image("i")
    assert [each.name for each in store.labels(project.id)] == ["cat"]
    assert store.annotations("i")[0].label_id == label.id


def test_a_deleted_label_comes_back_when_added_again(store: Store, project: Project) -> None:
    cat, dog = store.add_label(project.id, "cat"), store.add_label(project.id, "dog")
    store.delete_label(cat.id)
    for gone in (lambda: store.delete_label(cat.id), lambda: store.update_label(cat)):
        with pytest.raises(NotFound):
            gone()
    with pytest.raises(Conflict, match="add it again"):
        store.update_label(replace(dog, name="cat"))
    again = store.add_label(project.id, "cat", "#111111")
    assert again == replace(cat, color="#111111")
    assert store.labels(project.id) == [again, dog]


def test_labels_added_at_once_get_keys_of_their_own(store: Store, project: Project) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: store.add_label(project.id, f"label {number}"), range(8)))
    assert sorted(label.key or "" for label in made) == list("12345678")
    with ThreadPoolExecutor(4) as pool:
        same = [pool.submit(store.add_label, project.id, "same") for _ in range(4)]
    assert sum(isinstance(each.exception(), Conflict) for each in same) == 3


# --- images ---


def test_images_come_back_as_they_were_added(store: Store, project: Project) -> None:
    record = add_image(store, project, "i")
    assert store.image("i") == record
    with pytest.raises(Conflict):
        store.add_image(record)
    assert store.history("i").revision == 0 and store.annotations("i") == []


def test_images_are_listed_in_pages_by_status(store: Store, project: Project) -> None:
    names = [f"image {10 - number}" for number in range(10)]
    for name in names:
        add_image(store, project, name)
    add_image(store, store.create_project("other", "ann"), "elsewhere")
    store.set_status(names[3], "done")
    store.set_status(names[7], "in_progress")
    total, page = store.images(project.id, offset=2, limit=3)
    assert total == 10 and [record.id for record in page] == names[2:5]
    assert store.images(project.id, status="done") == (1, [store.image(names[3])])
    assert store.images(project.id, status="new")[0] == 8
    assert store.images(project.id, offset=50) == (10, [])


def test_a_deleted_image_is_hidden_until_it_is_restored(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    record = add_image(store, project, "i")
    add_image(store, project, "j")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    store.delete_image("i")
    assert store.images(project.id)[0] == 1 and list(store.iter_annotations(project.id)) == []
    assert store.annotation_counts(project.id) == {"j": 0}
    assert store.image("i", deleted=True) == replace(record, status="in_progress")
    for hidden in (store.image, store.annotations, store.history, store.undo, store.delete_image):
        with pytest.raises(NotFound):
            hidden("i")
    with pytest.raises(NotFound):
        store.commit("i", "keep", [keep("i", "b", label.id)])
    store.restore_image("i")
    with pytest.raises(NotFound):
        store.restore_image("i")
    assert store.annotation_counts(project.id) == {"i": 1, "j": 0}
    assert store.images(project.id)[1][0].id == "i" and store.history("i").undo == "keep"


def test_purging_removes_deleted_images_for_good(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    record = add_image(store, project, "i", content="shared")
    add_image(store, project, "j", content="shared")
    other = add_image(store, store.create_project("other", "ann"), "k", content="own")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    store.delete_image("i")
    store.delete_image("k")
    assert store.purge_deleted(project.id) == [replace(record, status="in_progress")]
    assert store.content_in_use("shared") and store.content_in_use("own")
    assert store.purge_deleted() == [other]
    assert not store.content_in_use("own") and store.content_in_use("shared")
    assert store.purge_deleted() == []
    with pytest.raises(NotFound):
        store.restore_image("i")
    store.delete_label(label.id)
    assert add_image(store, project, "i") == store.image("i")


# --- failures ---


def test_sqlite_is_set_up_to_be_durable(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/deep/down/annotator.db")
    with store._engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 30_000]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/annotator.db")
    project = store.create_project("birds", "ann")
    label = store.add_label(project.id, "cat")
    add_image(store, project, "i")
    before = store.commit("i", "keep", [keep("i", "a", label.id)])

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 3}").close()

    event.listen(store._engine, "connect", limit)
    store.close()
    with pytest.raises(StorageFull, match="full"):
        store.commit("i", "keep", [keep("i", f"b{number}", label.id) for number in range(500)])
    assert store.history("i") == before and len(store.annotations("i")) == 1
    event.remove(store._engine, "connect", limit)
    store.close()
    assert store.commit("i", "keep", [keep("i", "b", label.id)]).revision == 2


def test_a_mask_is_checked_before_anything_is_written(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    add_image(store, project, "i")
    good = keep("i", "a", label.id).after
    assert good is not None
    for bad in (
        replace(good, mask=small_mask(0, 0, 40, 30)),
        replace(good, area=good.area + 1),
        replace(good, bbox=(0, 0, 1, 1)),
        replace(good, score=float("nan")),
    ):
        with pytest.raises(InvalidMask):
            store.commit("i", "keep", [keep("i", "b", label.id), Change(None, bad)])
    assert store.history("i").revision == 0 and store.annotations("i") == []
