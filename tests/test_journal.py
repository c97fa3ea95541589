"""The journal: every change one step, undone and redone exactly, in the order and at the place it had."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from journal_writer import Model, keep, outcome, random_changes, small_mask, state_of
from sqlalchemy import event

from annotator.errors import AnnotatorError, Conflict, NotFound
from annotator.masks import rle
from annotator.storage.store import Store
from annotator.types import Annotation, Change, History, ImageRecord

pytest_plugins = ["postgres"]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with one image, "i" of 40 x 30 pixels, and the labels 1, 2 and 3."""
    store = Store(store_url)
    project = store.create_project("birds", "ann")
    assert [store.add_label(project.id, name).id for name in ("cat", "dog", "cow")] == [1, 2, 3]
    store.add_image(ImageRecord("i", project.id, "i.jpg", "c", "p", 40, 30))
    yield store
    store.close()


def ids(store: Store) -> list[str]:
    return [each.id for each in store.annotations("i")]


def relabel(annotation: Annotation, label_id: int) -> Change:
    return Change(annotation, replace(annotation, label_id=label_id))


def test_a_kept_object_comes_back_as_it_was(store: Store) -> None:
    mask = small_mask(3, 4, 30, 40)
    prompts = {"points": [[1.5, 2, 1], [3, 4, 0]], "box": [1, 2, 3, 4.25], "text": "\u00e9\x00"}
    kept = Annotation("a", "i", 2, mask, rle.area(mask), rle.bbox(mask), 0.1 + 0.2, "auto", prompts)
    assert store.commit("i", "keep object", [Change(None, kept)]) == History(1, "keep object", None)
    assert store.annotations("i") == [kept] and store.annotation("i", "a") == kept
    with pytest.raises(NotFound):
        store.annotation("i", "b")


def test_each_kind_of_change_is_undone_and_redone(store: Store) -> None:
    store.commit("i", "keep", [keep("i", name, 1) for name in "abc"])
    a, b, c = store.annotations("i")
    corrected = small_mask(20, 10, 30, 40)
    steps = {
        "relabel": [relabel(b, 2)],
        "correct": [Change(a, replace(a, mask=corrected, bbox=rle.bbox(corrected), source="edit"))],
        "delete": [Change(c, None)],
    }
    states = [store.annotations("i")]
    for kind, changes in steps.items():
        assert store.commit("i", kind, changes).undo == kind
        states.append(store.annotations("i"))
    for state, undone in zip(states[-2::-1], reversed(steps), strict=True):
        assert store.undo("i").redo == undone
        assert store.annotations("i") == state
    for state, redone in zip(states[1:], steps, strict=True):
        assert store.redo("i").undo == redone
        assert store.annotations("i") == state
    assert store.history("i") == History(10, "delete", None)


def test_many_changes_are_one_step(store: Store) -> None:
    store.commit("i", "keep", [keep("i", name, 1) for name in "abc"])
    a, b, c = store.annotations("i")
    store.commit("i", "merge", [relabel(a, 3), Change(b, None), Change(c, None), keep("i", "d", 2)])
    assert ids(store) == ["a", "d"]
    store.undo("i")
    assert store.annotations("i") == [a, b, c]


def test_an_annotation_may_change_twice_in_one_step(store: Store) -> None:
    first = keep("i", "a", 1)
    assert first.after is not None
    store.commit("i", "keep", [first, relabel(first.after, 2)])
    assert store.annotations("i")[0].label_id == 2
    store.undo("i")
    assert ids(store) == []
    store.redo("i")
    assert store.annotations("i")[0].label_id == 2


def test_an_undone_delete_brings_an_object_back_to_its_place(store: Store) -> None:
    for name in "abcd":
        store.commit("i", "keep", [keep("i", name, 1)])
    store.commit("i", "delete", [Change(store.annotation("i", "b"), None)])
    assert ids(store) == ["a", "c", "d"]
    store.undo("i")
    assert ids(store) == ["a", "b", "c", "d"]


def test_hundreds_of_objects_are_kept_in_one_step_and_in_order(store: Store) -> None:
    names = [f"{number * 7919 % 701:04}" for number in range(701)]
    store.commit("i", "accept all", [keep("i", name, 1) for name in names])
    assert ids(store) == names
    store.commit("i", "relabel", [relabel(each, 2) for each in store.annotations("i")])
    assert {each.label_id for each in store.annotations("i")} == {2} and ids(store) == names
    store.undo("i")
    store.undo("i")
    assert ids(store) == []


def test_a_new_change_ends_redo(store: Store) -> None:
    store.commit("i", "first", [keep("i", "a", 1)])
    store.commit("i", "second", [keep("i", "b", 1)])
    store.undo("i")
    assert store.history("i").redo == "second"
    assert store.commit("i", "third", [keep("i", "c", 1)]) == History(4, "third", None)
    with pytest.raises(Conflict, match=r"^There is nothing to redo on this image\.$"):
        store.redo("i")
    store.undo("i")
    assert store.undo("i") == History(6, None, "first")
    with pytest.raises(Conflict, match=r"^There is nothing to undo on this image\.$"):
        store.undo("i")
    store.redo("i")
    store.redo("i")
    assert ids(store) == ["a", "c"]


def test_undo_of_a_revision_that_is_past_changes_nothing(store: Store) -> None:
    store.commit("i", "first", [keep("i", "a", 1)])
    seen = store.commit("i", "second", [keep("i", "b", 1)]).revision
    assert store.undo("i", seen).undo == "first"
    for walk in (store.undo, store.redo):  # the same request again: its first reply was lost
        with pytest.raises(Conflict, match="changed meanwhile"):
            walk("i", seen)
    assert ids(store) == ["a"]


def test_the_history_survives_a_restart(store: Store, store_url: str) -> None:
    store.commit("i", "first", [keep("i", "a", 1)])
    store.commit("i", "second", [keep("i", "b", 1)])
    store.undo("i")
    again = Store(store_url)
    assert again.history("i") == History(3, "first", "second")
    again.redo("i")
    assert ids(again) == ids(store) == ["a", "b"]
    again.close()


def test_a_repeated_request_changes_nothing(store: Store, store_url: str) -> None:
    changes = [keep("i", "a", 1)]
    first = store.commit("i", "keep", changes, "request")
    assert store.commit("i", "keep", changes, "request") == first
    again = Store(store_url)
    assert again.commit("i", "keep", changes, "request") == first
    again.close()
    undone = store.undo("i")
    assert store.commit("i", "keep", changes, "request") == undone and ids(store) == []
    store.commit("i", "other", [keep("i", "b", 1)], "another request")
    assert store.commit("i", "keep", changes, "request").revision == 3 and ids(store) == ["b"]


def test_no_changes_are_no_step(store: Store) -> None:
    assert store.commit("i", "nothing", [], "request") == History(0, None, None)


def test_a_request_id_is_of_one_image(store: Store) -> None:
    record = store.image("i")
    store.add_image(replace(record, id="j", name="j.jpg"))
    store.commit("i", "keep", [keep("i", "a", 1)], "request")
    store.commit("j", "keep", [keep("j", "a", 1)], "request")
    assert len(store.annotations("j")) == 1
    store.undo("j")
    assert ids(store) == ["a"]


def test_a_stale_change_is_refused_as_a_whole(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", 1), keep("i", "b", 1)])
    a, b = store.annotations("i")
    store.commit("i", "relabel", [relabel(a, 2)])
    before = store.annotations("i"), store.history("i")
    for stale in (relabel(a, 3), Change(a, None), keep("i", "a", 1), Change(replace(a, id="z"), None)):
        with pytest.raises(Conflict, match="reload"):
            store.commit("i", "stale", [relabel(b, 3), stale, keep("i", "c", 1)])
        assert (store.annotations("i"), store.history("i")) == before


def test_every_part_of_an_annotation_counts_for_staleness(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", 1)])
    (a,) = store.annotations("i")
    moved = small_mask(9, 9, 30, 40)
    for other in (
        replace(a, score=0.123),
        replace(a, source="import"),
        replace(a, prompts={"points": []}),
        replace(a, mask=moved, bbox=rle.bbox(moved)),
    ):
        with pytest.raises(Conflict):
            store.commit("i", "stale", [Change(other, None)])
    store.commit("i", "delete", [Change(replace(a, prompts=dict(reversed(a.prompts.items()))), None)])


def test_changes_that_are_no_changes_of_this_image_are_refused(store: Store) -> None:
    record = store.image("i")
    store.add_image(replace(record, id="j", name="j.jpg"))
    store.commit("i", "keep", [keep("i", "a", 1)])
    (a,) = store.annotations("i")
    for wrong in (
        keep("j", "b", 1),
        Change(None, None),
        Change(a, replace(a, id="b")),
        Change(replace(a, image_id="j"), a),
    ):
        with pytest.raises(Conflict):
            store.commit("i", "wrong", [wrong])


def test_a_label_of_another_project_is_refused(store: Store) -> None:
    foreign = store.add_label(store.create_project("other", "ann").id, "cat")
    for label_id in (foreign.id, 99, 2**62):
        with pytest.raises(NotFound):
            store.commit("i", "keep", [keep("i", "a", label_id)])
    store.delete_label(3)
    with pytest.raises(NotFound):
        store.commit("i", "keep", [keep("i", "a", 3)])


def test_undo_brings_a_deleted_label_back(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", 2)])
    store.commit("i", "delete", [Change(store.annotation("i", "a"), None)])
    store.delete_label(2)
    project_id = store.image("i").project_id
    assert [label.name for label in store.labels(project_id)] == ["cat", "cow"]
    store.undo("i")
    assert [label.name for label in store.labels(project_id)] == ["cat", "dog", "cow"]
    assert store.annotation("i", "a").label_id == 2


def test_a_label_that_undo_brings_back_has_no_key(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", 2)])
    store.commit("i", "delete", [Change(store.annotation("i", "a"), None)])
    store.delete_label(2)
    project_id = store.image("i").project_id
    assert store.add_label(project_id, "hen").key == "2"
    store.undo("i")
    assert [label.key for label in store.labels(project_id)] == ["1", None, "3", "2"]


def test_what_an_image_has_already_is_not_added_again(store: Store) -> None:
    objects = [keep("i", name, 1, x).after for name, x in (("a", 3), ("b", 9), ("again", 3))]
    assert store.add_missing("i", "import objects", [each for each in objects if each]) == 2
    assert ids(store) == ["a", "b"] and store.history("i").undo == "import objects"
    once_more = [keep("i", name, label, x).after for name, label, x in (("c", 1, 3), ("d", 2, 3), ("e", 1, 12))]
    assert store.add_missing("i", "import objects", [each for each in once_more if each]) == 2
    assert ids(store) == ["a", "b", "d", "e"]
    revision = store.history("i").revision
    assert store.add_missing("i", "import objects", [each for each in once_more if each]) == 0
    assert store.history("i").revision == revision
    store.merge_labels(2, 1)
    split = keep("i", "f", 1, 3).after
    assert split is not None and store.add_missing("i", "import objects", [split]) == 0


def test_a_repeated_import_adds_nothing(store: Store) -> None:
    (one, two) = (keep("i", name, 1, x).after for name, x in (("a", 3), ("b", 9)))
    assert one is not None and two is not None
    assert store.add_missing("i", "import objects", [one], "request") == 1
    assert store.add_missing("i", "import objects", [two], "request") == 0


def test_two_imports_of_one_file_at_once_add_it_once(store: Store, store_url: str) -> None:
    other = Store(store_url)

    def load(number: int) -> int:
        objects = [keep("i", f"{number}-{x}", 1, x).after for x in range(5)]
        return (store, other)[number % 2].add_missing("i", "import objects", [each for each in objects if each])

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(load, range(4))) == [0, 0, 0, 5]
    other.close()


def test_random_histories_equal_the_model(store: Store) -> None:
    rng, model = random.Random(1), Model()
    for _ in range(80):
        action = rng.choice(["commit"] * 4 + ["undo"] * 3 + ["redo"] * 2)
        if action == "commit":
            present = store.annotations("i")
            changes = random_changes(present, "i", [1, 2, 3], rng)
            model.take({"do": "commit", "state": outcome(present, changes)})
            store.commit("i", "change", changes)
        elif model.present == 0 if action == "undo" else model.present == len(model.states) - 1:
            with pytest.raises(Conflict):
                getattr(store, action)("i")
        else:
            model.take({"do": action})
            getattr(store, action)("i")
        assert state_of(store.annotations("i")) == model.state


def test_writers_of_one_image_take_turns(store: Store, store_url: str) -> None:
    stores = [store, Store(store_url), Store(store_url)]  # as three programs would

    def work(number: int) -> None:
        for turn in range(10):
            stores[number % 3].commit("i", "keep", [keep("i", f"{number}-{turn}", 1)], f"{number}-{turn}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert store.history("i").revision == 60 and len(set(ids(store))) == 60
    for _ in range(60):
        store.undo("i")
    assert ids(store) == []
    for other in stores[1:]:
        other.close()


def test_of_two_who_change_the_same_object_one_is_told(store: Store, store_url: str) -> None:
    other = Store(store_url)
    for turn in range(5):
        store.commit("i", "keep", [keep("i", f"{turn}", 1)])
        present = store.annotation("i", f"{turn}")
        with ThreadPoolExecutor(4) as pool:
            tries = [
                pool.submit(each.commit, "i", "relabel", [relabel(present, label)])
                for each, label in [(store, 2), (other, 3), (store, 3), (other, 2)]
            ]
        assert sum(each.exception() is None for each in tries) == 1
        assert sum(isinstance(each.exception(), Conflict) for each in tries) == 3
    other.close()


def test_the_same_request_sent_twice_at_once_is_done_once(store: Store, store_url: str) -> None:
    other = Store(store_url)
    with ThreadPoolExecutor(4) as pool:
        same = [pool.submit(each.commit, "i", "keep", [keep("i", "a", 1)], "r") for each in (store, other) * 2]
    assert [each.result() for each in same] == [History(1, "keep", None)] * 4
    other.close()


def test_no_object_is_left_with_a_label_deleted_at_the_same_time(store: Store, store_url: str) -> None:
    other, project_id = Store(store_url), store.image("i").project_id
    for turn in range(12):
        label = store.add_label(project_id, f"label {turn}")
        store.commit("i", "keep", [keep("i", f"undone {turn}", label.id)])
        store.undo("i")
        use = [lambda turn=turn, label=label: other.commit("i", "keep", [keep("i", f"{turn}", label.id)])]
        with ThreadPoolExecutor(2) as pool:
            deleted = pool.submit(store.delete_label, label.id)
            used = pool.submit(use[0] if turn % 2 else lambda: other.redo("i"))
        for each in (deleted, used):
            assert each.exception() is None or isinstance(each.exception(), AnnotatorError)
        present = {each.id for each in store.labels(project_id)}
        assert {each.label_id for each in store.annotations("i")} <= present
    other.close()


@pytest.mark.parametrize("moment", range(4))
def test_a_document_read_during_a_change_is_whole_or_looks_old(store: Store, store_url: str, moment: int) -> None:
    other, statements = Store(store_url), 0

    def interfere(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal statements
        if statement.startswith(("PRAGMA", "BEGIN")):
            return
        if statements == moment:
            other.commit("i", "keep", [keep("i", "a", 1)])
        statements += 1

    store.history("i")  # connected from now on
    event.listen(store._engine, "before_cursor_execute", interfere)
    document = store.document("i")
    event.remove(store._engine, "before_cursor_execute", interfere)
    assert statements > moment and other.history("i").revision == 1
    if document.history.revision == 1:
        assert document == other.document("i")
    other.close()


def test_all_annotations_of_a_project_are_iterated_in_order(store: Store) -> None:
    record = store.image("i")
    for number in range(7):
        store.add_image(replace(record, id=f"image {9 - number}", name=f"{number}.jpg"))
        names = [f"{number}-{each}" for each in range(100)]
        store.commit(f"image {9 - number}", "keep", [keep(f"image {9 - number}", name, 1) for name in names])
    everything = list(store.iter_annotations(record.project_id))
    assert [each.id for each in everything] == [f"{number}-{each}" for number in range(7) for each in range(100)]
    assert everything[150] == store.annotation("image 8", "1-50")
    assert sum(store.annotation_counts([each.id for each in store.iter_images(record.project_id)]).values()) == 700
    started = store.iter_annotations(record.project_id)
    next(started)
    store.commit("i", "keep", [keep("i", "while iterating", 1)])
    assert len(list(started)) == 699
