"""Merging labels: every object shows the other label at once, no journal changes, and it can be taken back exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from journal_writer import keep, random_changes

from annotator.errors import Conflict, InvalidRequest, NotFound
from annotator.storage.store import Store
from annotator.types import Change, ImageRecord

pytest_plugins = ["postgres"]

CAT, DOG, COW = 1, 2, 3


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with the images "i" and "j" of 40 x 30 pixels, and the labels CAT, DOG and COW."""
    store = Store(store_url)
    project = store.create_project("birds", "ann")
    assert [store.add_label(project.id, name).id for name in ("cat", "dog", "cow")] == [CAT, DOG, COW]
    for name in "ij":
        store.add_image(ImageRecord(name, project.id, f"{name}.jpg", "c", "p", 40, 30))
    yield store
    store.close()


def project_id(store: Store) -> int:
    return store.image("i").project_id


def names(store: Store) -> list[str]:
    return [label.name for label in store.labels(project_id(store))]


def label_ids(store: Store, image_id: str = "i") -> dict[str, int]:
    return {each.id: each.label_id for each in store.annotations(image_id)}


def test_the_objects_of_a_merged_label_count_as_the_other_ones(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", CAT), keep("i", "b", DOG), keep("i", "c", COW)])
    store.commit("j", "keep", [keep("j", "d", CAT)])
    assert store.merge_labels(CAT, DOG).name == "dog"
    assert names(store) == ["dog", "cow"]
    assert label_ids(store) == {"a": DOG, "b": DOG, "c": COW} and label_ids(store, "j") == {"d": DOG}
    assert store.annotation("i", "a").label_id == DOG
    assert [each.label_id for each in store.document("i").annotations] == [DOG, DOG, COW]
    assert [each.label_id for each in store.iter_annotations(project_id(store))] == [DOG, DOG, COW, DOG]
    assert [(label.name, into) for label, into in store.merged_labels(project_id(store))] == [("cat", DOG)]
    with pytest.raises(Conflict, match="3 objects"):
        store.delete_label(DOG)


def test_splitting_a_label_off_again_gives_it_its_objects_back(store: Store) -> None:
    store.commit("i", "keep", [keep("i", name, CAT) for name in "ab"] + [keep("i", "c", DOG)])
    store.merge_labels(CAT, DOG)
    b = store.annotation("i", "b")
    store.commit("i", "relabel", [Change(b, replace(b, label_id=COW))])
    a = store.annotation("i", "a")
    store.commit("i", "correct", [Change(a, replace(a, score=0.5))])
    store.commit("i", "keep", [keep("i", "d", DOG)])
    assert (store.split_label(CAT).name, store.label(CAT).key) == ("cat", None)
    assert label_ids(store) == {"a": CAT, "b": COW, "c": DOG, "d": DOG}
    assert store.merged_labels(project_id(store)) == []


def test_undo_and_redo_go_on_across_a_merging(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", CAT)])
    a = store.annotation("i", "a")
    store.commit("i", "relabel", [Change(a, replace(a, label_id=COW))])
    store.merge_labels(CAT, DOG)
    assert store.history("i").undo == "relabel" and label_ids(store) == {"a": COW}
    store.undo("i")
    assert label_ids(store) == {"a": DOG}
    store.undo("i")
    store.redo("i")
    assert label_ids(store) == {"a": DOG}
    store.redo("i")
    assert label_ids(store) == {"a": COW}
    store.undo("i")
    store.split_label(CAT)
    assert label_ids(store) == {"a": CAT}


def test_someone_who_has_not_heard_of_the_merging_can_go_on(store: Store) -> None:
    store.commit("i", "keep", [keep("i", name, CAT) for name in "ab"])
    a, b = store.annotations("i")
    store.merge_labels(CAT, DOG)
    store.commit("i", "keep", [keep("i", "c", CAT)])
    store.commit("i", "correct", [Change(a, replace(a, score=0.5)), Change(b, replace(b, label_id=COW))])
    assert label_ids(store) == {"a": DOG, "b": COW, "c": DOG}
    store.undo("i")
    assert label_ids(store) == {"a": DOG, "b": DOG, "c": DOG}


def test_open_images_with_the_label_look_changed(store: Store) -> None:
    seen = store.commit("i", "keep", [keep("i", "a", CAT)]).revision
    other = store.commit("j", "keep", [keep("j", "b", COW)]).revision
    store.merge_labels(CAT, DOG)
    with pytest.raises(Conflict, match="changed meanwhile"):
        store.undo("i", seen)
    seen = store.history("i").revision
    store.split_label(CAT)
    assert store.history("i").revision > seen and store.history("j").revision == other


def test_a_label_with_others_merged_into_it_can_be_merged_itself(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", CAT), keep("i", "b", DOG)])
    store.merge_labels(CAT, DOG)
    store.merge_labels(DOG, COW)
    assert label_ids(store) == {"a": COW, "b": COW}
    assert [(label.name, into) for label, into in store.merged_labels(project_id(store))] == [
        ("cat", COW),
        ("dog", COW),
    ]
    store.split_label(DOG)
    assert label_ids(store) == {"a": DOG, "b": DOG}
    store.split_label(CAT)
    assert label_ids(store) == {"a": CAT, "b": DOG}


@pytest.mark.parametrize("how", ["add", "rename"])
def test_the_name_of_a_merged_label_is_free(store: Store, how: str) -> None:
    store.commit("i", "keep", [keep("i", "a", CAT)])
    store.merge_labels(CAT, DOG)
    if how == "add":
        again = store.add_label(project_id(store), "cat")
    else:
        again = store.update_label(replace(store.label(COW), name="cat"))
    assert again.id != CAT and label_ids(store) == {"a": DOG}
    assert store.split_label(CAT).name == f"cat ({CAT})" and label_ids(store) == {"a": CAT}


def test_undo_brings_back_the_label_that_was_merged_into(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", CAT)])
    store.commit("i", "delete", [Change(store.annotation("i", "a"), None)])
    store.merge_labels(CAT, DOG)
    store.delete_label(DOG)
    assert names(store) == ["cow"]
    store.undo("i")
    assert names(store) == ["dog", "cow"] and label_ids(store) == {"a": DOG}


def test_a_restored_image_brings_back_the_label_that_was_merged_into(store: Store) -> None:
    store.commit("i", "keep", [keep("i", "a", CAT)])
    store.delete_image("i")
    store.merge_labels(CAT, DOG)
    store.delete_label(DOG)
    store.restore_image("i")
    assert names(store) == ["dog", "cow"] and label_ids(store) == {"a": DOG}


def test_what_cannot_be_merged_is_refused(store: Store) -> None:
    foreign = store.add_label(store.create_project("other", "ann").id, "cat")
    with pytest.raises(InvalidRequest):
        store.merge_labels(CAT, CAT)
    for label_id, into in ((CAT, foreign.id), (foreign.id, CAT), (CAT, 99), (99, CAT)):
        with pytest.raises(NotFound):
            store.merge_labels(label_id, into)
    store.merge_labels(CAT, DOG)
    for label_id, into in ((CAT, DOG), (CAT, COW), (COW, CAT)):
        with pytest.raises(NotFound):
            store.merge_labels(label_id, into)
    with pytest.raises(Conflict):
        store.split_label(DOG)
    with pytest.raises(NotFound):
        store.split_label(99)


def test_random_histories_are_walked_back_and_forth_between_mergings(store: Store) -> None:
    rng = random.Random(3)
    merged: set[int] = set()
    for _ in range(60):
        live = [label.id for label in store.labels(project_id(store))]
        action = rng.choice(["commit"] * 4 + ["undo"] * 3 + ["redo"] * 2 + ["merge", "split"])
        if action == "commit":
            store.commit("i", "change", random_changes(store.annotations("i"), "i", live, rng))
        elif action == "merge" and len(live) > 1:
            label_id, into = rng.sample(live, 2)
            store.merge_labels(label_id, into)
            merged.add(label_id)
        elif action == "split" and merged:
            store.split_label(merged.pop())
        elif action in ("undo", "redo") and getattr(store.history("i"), action):
            getattr(store, action)("i")
        assert set(label_ids(store).values()) <= {label.id for label in store.labels(project_id(store))}
    for label_id in sorted(merged):
        store.split_label(label_id)
    present = store.annotations("i")
    steps = 0
    while store.history("i").undo:
        store.undo("i")
        steps += 1
    assert store.annotations("i") == []
    for _ in range(steps):
        store.redo("i")
    assert store.annotations("i") == present


def test_labels_are_merged_while_others_use_them(store: Store, store_url: str) -> None:
    other = Store(store_url)

    def use(number: int) -> None:
        for turn in range(8):
            image_id = "ij"[turn % 2]
            (store, other)[number % 2].commit(image_id, "keep", [keep(image_id, f"{number}-{turn}", CAT)])

    def merge() -> None:
        for _ in range(6):
            other.merge_labels(CAT, DOG)
            store.split_label(CAT)

    with ThreadPoolExecutor(5) as pool:
        work = [pool.submit(use, number) for number in range(4)] + [pool.submit(merge)]
    assert [each.exception() for each in work] == [None] * 5
    assert len(label_ids(store)) + len(label_ids(store, "j")) == 32
    assert set(label_ids(store).values()) <= {CAT, DOG}
    other.close()
