"""Projects, labels, images and failures of the store, on real SQLite and real PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from journal_writer import keep, small_mask
from sqlalchemy import event

from annotator.errors import Conflict, InvalidMask, InvalidRequest, NotFound, StorageFull, TooIntricate
from annotator.masks import rle
from annotator.storage import image_store
from annotator.storage.label_rows import PALETTE
from annotator.storage.store import Store
from annotator.types import Annotation, Change, ImageRecord, Project

pytest_plugins = ["postgres"]


@pytest.fixture
def project(store: Store) -> Project:
    return store.create_project("birds", "ann")


def add_image(store: Store, project: Project, image_id: str, content: str = "sha") -> ImageRecord:
    record = ImageRecord(image_id, project.id, f"{image_id}.jpg", content, f"pixels-{image_id}", 40, 30, orientation=6)
    return store.add_image(record)


def by_image(store: Store) -> list[Callable[[str], object]]:
    """What the store does with one image."""
    of_image = [store.image, store.annotations, store.history, store.undo, store.delete_image, store.restore_image]
    return [*of_image, lambda name: store.set_status(name, "done"), lambda name: store.commit(name, "nothing", [])]


# --- projects ---


def test_projects_belong_to_their_owner(store: Store) -> None:
    first, second = store.create_project("  birds ", "ann"), store.create_project("fish", "ann")
    other = store.create_project("cats", "bob")
    assert store.projects("ann") == [first, second] and store.projects("bob") == [other]
    assert store.projects("nobody") == []
    assert store.project(first.id) == first == Project(first.id, "birds", "ann")


def test_an_owner_has_no_two_projects_of_one_name(store: Store, project: Project) -> None:
    other = store.create_project("fish", "ann")
    for name_it in (lambda: store.create_project(" birds", "ann"), lambda: store.rename_project(other.id, "birds")):
        with pytest.raises(Conflict, match="There is a project birds already"):
            name_it()
    assert store.rename_project(project.id, "birds") == project
    assert store.create_project("birds", "bob").owner == "bob"
    store.remove_project(project.id)
    store.create_project("birds", "ann")
    assert store.restore_project(project.id).name == "birds 2", "what was removed can always be restored"


def test_a_project_is_renamed(store: Store, project: Project) -> None:
    renamed = store.rename_project(project.id, " sea\nbirds ")
    assert renamed == replace(project, name="sea birds") == store.project(project.id)
    with pytest.raises(InvalidRequest):
        store.rename_project(project.id, "")
    assert store.project(project.id) == renamed


def test_things_of_others_are_not_found(store: Store, project: Project) -> None:
    label, image = store.add_label(project.id, "cat"), add_image(store, project, "i")
    assert store.project(project.id, "ann") == project
    assert store.label(label.id, "ann") == label == store.label(label.id)
    assert store.image("i", "ann") == image and store.images_by_id(["i"], "ann") == [image]
    for method, key in ((store.project, project.id), (store.label, label.id), (store.image, "i")):
        with pytest.raises(NotFound):
            method(key, "bob")
    assert store.images_by_id(["i"], "bob") == []
    store.delete_image("i")
    assert store.image("i", "ann", removed=True) == image
    with pytest.raises(NotFound):
        store.image("i", "bob", removed=True)


def test_a_removed_project_is_hidden_with_all_it_has_until_it_is_restored(store: Store, project: Project) -> None:
    label, image = store.add_label(project.id, "cat"), add_image(store, project, "i")
    add_image(store, project, "gone")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    store.delete_image("gone")
    before = store.document("i")
    assert store.remove_project(project.id) == project
    assert store.projects("ann") == [] and store.projects("ann", removed=True) == [project]
    assert store.project(project.id, "ann", removed=True) == project
    for hidden in (store.project, store.remove_project, lambda number: store.rename_project(number, "cats")):
        with pytest.raises(NotFound):
            hidden(project.id)
    for hidden in (lambda: store.label(label.id), lambda: store.add_label(project.id, "dog")):
        with pytest.raises(NotFound):
            hidden()
    for each in [*by_image(store), store.document]:
        with pytest.raises(NotFound):
            each("i")
    with pytest.raises(NotFound):
        store.restore_image("gone")
    assert store.images(project.id) == (0, []) == store.images(project.id, removed=True)
    assert list(store.iter_images(project.id)) == [] and list(store.iter_annotations(project.id)) == []
    with pytest.raises(NotFound):
        add_image(store, project, "new")
    assert store.restore_project(project.id) == project
    with pytest.raises(NotFound):
        store.restore_project(project.id)
    assert store.document("i") == before and before.image == replace(image, status="in_progress")
    assert store.images(project.id, removed=True)[0] == 1


@pytest.mark.parametrize("everywhere", [False, True])
def test_purging_a_removed_project_leaves_the_others(store: Store, project: Project, everywhere: bool) -> None:
    other = store.create_project("other", "ann")
    for index, each in enumerate((project, other)):
        label = store.add_label(each.id, "cat")
        merged = store.add_label(each.id, "kitten")
        add_image(store, each, f"i{index}")
        store.commit(f"i{index}", "keep", [keep(f"i{index}", "a", merged.id)])
        store.merge_labels(merged.id, label.id)
    store.remove_project(project.id)
    assert [image.id for image in store.purge(None if everywhere else project.id)[0]] == ["i0"]
    assert store.projects("ann", removed=True) == [] and store.labels(project.id) == []
    with pytest.raises(NotFound):
        store.restore_project(project.id)
    assert store.projects("ann") == [other] and len(store.annotations("i1")) == 1
    assert store.purge() == ([], 0)


@pytest.mark.parametrize("name", ["", " \n\u00a0", "\u200d", "x" * 201, "a\x00b", "a\x1bb", "\ud800"])
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
    assert [label.color for label in made[:16]] == list(PALETTE)
    assert len(set(PALETTE)) == 16
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
    with pytest.raises(Conflict, match=r"used by 1 object\."):
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


def test_a_label_is_found_or_added_by_its_name_in_any_spelling(store: Store, project: Project) -> None:
    added = store.ensure_label(project.id, "caf\u00e9\u00a0table", "furniture")
    assert (added.name, added.supercategory, added.key) == ("caf\u00e9 table", "furniture", "1")
    assert store.ensure_label(project.id, " cafe\u0301  table\n", "other") == added
    with pytest.raises(Conflict):
        store.add_label(project.id, "cafe\u0301 table")
    store.delete_label(added.id)
    assert store.ensure_label(project.id, "caf\u00e9 table").id == added.id
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert store.ensure_label(project.id, persian).name == persian == store.labels(project.id)[1].name
    assert store.ensure_label(project.id, "chair", "a\x00b").supercategory == ""
    with pytest.raises(InvalidRequest):
        store.ensure_label(project.id, "a\x00b")


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
    total, page = store.images(project.id, limit=3, after=names[1])
    assert total == 10 and [record.id for record in page] == names[2:5]
    assert store.images(project.id, status="done") == (1, [store.image(names[3])])
    assert store.images(project.id, status="new")[0] == 8


def test_no_image_is_missed_though_others_are_deleted_meanwhile(store: Store, project: Project) -> None:
    names = [f"image {10 - number}" for number in range(10)]
    for name in names:
        add_image(store, project, name)
    _, page = store.images(project.id, limit=4)
    store.delete_image(names[1])
    store.delete_image(names[3])
    total, rest = store.images(project.id, limit=4, after=page[-1].id)
    assert total == 8 and [record.id for record in rest] == names[4:8]
    assert [record.id for record in store.images(project.id, after=rest[-1].id)[1]] == names[8:]
    assert store.images(project.id, after=names[-1]) == (8, [])
    with pytest.raises(NotFound):
        store.images(project.id, after="unknown")


def test_all_images_of_a_project_are_iterated_though_some_are_deleted_meanwhile(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_store, "_CHUNK", 3)
    names = [f"image {10 - number}" for number in range(10)]
    for name in names:
        add_image(store, project, name)
    add_image(store, store.create_project("other", "ann"), "elsewhere")
    found = []
    for record in store.iter_images(project.id):
        found.append(record.id)
        store.delete_image(record.id)
    assert found == names


def test_images_are_found_by_id_in_the_order_asked_for(store: Store, project: Project) -> None:
    for name in "abc":
        add_image(store, project, name)
    store.delete_image("b")
    assert [record.id for record in store.images_by_id(["c", "b", "none", "a", "c"])] == ["c", "a"]
    assert store.images_by_id([]) == []


def test_images_are_found_by_content(store: Store, project: Project) -> None:
    first, second = add_image(store, project, "i", "same"), add_image(store, project, "j", "same")
    add_image(store, store.create_project("other", "ann"), "k", "same")
    assert store.images_with_content(project.id, "same") == [first, second]
    store.delete_image("i")
    assert store.images_with_content(project.id, "same") == [second]


def test_the_same_file_added_by_many_at_once_is_one_image(store: Store, project: Project) -> None:
    def add(number: int) -> str:
        return store.add_image(ImageRecord(f"image {number}", project.id, "i.jpg", "same", "p", 40, 30)).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(add, range(8)))) == 1
    assert store.images(project.id)[0] == 1
    store.delete_image(store.images(project.id)[1][0].id)
    assert add(9) == "image 9", "what was removed is added again"
    assert store.add_image(ImageRecord("other", project.id, "other.jpg", "same", "p", 40, 30)).id == "other"


def test_an_image_whose_confirmation_fails_is_not_added(store: Store, project: Project) -> None:
    def fail() -> None:
        raise Conflict("no")

    with pytest.raises(Conflict, match=r"^no$"):
        store.add_image(ImageRecord("i", project.id, "i.jpg", "c", "p", 40, 30), confirm=fail)
    assert store.images(project.id) == (0, [])


def test_a_deleted_image_is_hidden_until_it_is_restored(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    record = add_image(store, project, "i")
    add_image(store, project, "j")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    store.delete_image("i")
    assert store.images(project.id)[0] == 1 and list(store.iter_annotations(project.id)) == []
    assert store.annotation_counts(["j"]) == {"j": 0}
    assert store.image("i", removed=True) == replace(record, status="in_progress")
    assert store.images(project.id, removed=True) == (1, [store.image("i", removed=True)])
    for hidden in (store.image, store.annotations, store.history, store.undo, store.delete_image):
        with pytest.raises(NotFound):
            hidden("i")
    with pytest.raises(NotFound):
        store.commit("i", "keep", [keep("i", "b", label.id)])
    store.restore_image("i")
    with pytest.raises(NotFound):
        store.restore_image("i")
    assert store.annotation_counts(["i", "j", "none"]) == {"i": 1, "j": 0, "none": 0}
    assert store.images(project.id, removed=True) == (0, [])
    assert store.images(project.id)[1][0].id == "i" and store.history("i").undo == "keep"


def test_purging_removes_deleted_images_for_good(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    record = add_image(store, project, "i", content="shared")
    add_image(store, project, "j", content="shared")
    other = add_image(store, store.create_project("other", "ann"), "k", content="own")
    store.commit("i", "keep", [keep("i", "a", label.id)])
    store.delete_image("i")
    store.delete_image("k")
    assert store.purge(project.id) == ([replace(record, status="in_progress")], 0)
    assert store.purge() == ([other], 0)
    assert store.purge() == ([], 0)
    released: list[str] = []
    store.release_content(["shared", "own", "unknown"], released.extend)
    assert released == ["own", "unknown"]
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
    assert values == ["wal", 2, 1, 5000]


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


def test_a_mask_that_could_not_be_shown_is_never_stored(store: Store, project: Project) -> None:
    label = store.add_label(project.id, "cat")
    side = 2100
    store.add_image(ImageRecord("i", project.id, "i.jpg", "c", "p", side, side))
    stripes = rle.from_counts([side] * side, side, side)  # few runs by columns, millions by rows
    fitting = rle.from_counts([side] * 1800 + [side * (side - 1800)], side, side)
    changes = [
        Change(None, Annotation(name, "i", label.id, mask, rle.area(mask), rle.bbox(mask)))
        for name, mask in (("fits", fitting), ("does not", stripes))
    ]
    with pytest.raises(TooIntricate, match="intricate"):
        store.commit("i", "import", changes)
    assert store.document("i").annotations == []
    store.commit("i", "import", changes[:1])
    (kept,) = store.document("i").annotations
    assert len(rle.to_cropped(kept.mask).runs) <= rle.MAX_ROW_RUNS
