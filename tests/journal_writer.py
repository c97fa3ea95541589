"""Changes one image's annotations at random until it is killed, saying before and after each step what it does.

Run as `python journal_writer.py URL IMAGE SEED`. Prints `try STEP` before and `ok STEP` after each step, where STEP is
JSON: {"do": "commit", "state": [[id, label], ...]} or {"do": "undo"} or {"do": "redo"}.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from annotator.errors import Conflict
from annotator.masks import rle
from annotator.storage.store import Store
from annotator.types import RLE, Annotation, Change

State = list[list[Any]]
"""Ids and labels of an image's annotations, in order."""


class Model:
    """What the journal of an image has to be like: a list of states and the place of the present one in it."""

    def __init__(self) -> None:
        self.states: list[State] = [[]]
        self.present = 0

    @property
    def state(self) -> State:
        return self.states[self.present]

    def take(self, step: dict[str, Any]) -> None:
        if step["do"] == "commit":
            self.present += 1
            self.states[self.present :] = [step["state"]]
        else:
            self.present += -1 if step["do"] == "undo" else 1


def state_of(annotations: list[Annotation]) -> State:
    return [[each.id, each.label_id] for each in annotations]


def small_mask(x: int, y: int, height: int, width: int) -> RLE:
    """A mask of two by three pixels."""
    return rle.encode_at(np.ones((2, 3), bool), x, y, height, width)


def keep(image_id: str, name: str, label_id: int, x: int = 7) -> Change:
    """A new object on an image of 40 x 30 pixels."""
    mask = small_mask(x, x, 30, 40)
    prompts = {"points": [[x, x, 1]], "box": None}
    return Change(None, Annotation(name, image_id, label_id, mask, 6, rle.bbox(mask), x / 30, "prompt", prompts))


def random_changes(present: list[Annotation], image_id: str, labels: list[int], rng: random.Random) -> list[Change]:
    """One of: keep up to three objects, relabel some, delete some, or all of it at once."""
    changes = []
    for each in rng.sample(present, min(len(present), rng.choice([0, 0, 1, 2]))):
        after = rng.choice([None, replace(each, label_id=rng.choice(labels))])
        changes.append(Change(each, after))
    for _ in range(rng.choice([1, 1, 2, 3] if len(present) < 12 or not changes else [0])):
        changes.append(keep(image_id, f"{rng.getrandbits(64):x}", rng.choice(labels), rng.randrange(20)))
    return changes


def outcome(present: list[Annotation], changes: list[Change]) -> State:
    after = {change.before.id: change.after for change in changes if change.before}
    kept = [each for each in (after.get(old.id, old) for old in present) if each]
    return state_of(kept + [change.after for change in changes if change.after and not change.before])


def main(url: str, image_id: str, seed: str) -> None:
    rng, store = random.Random(seed), Store(url)
    labels = [label.id for label in store.labels(store.image(image_id).project_id)]
    while True:
        choice = rng.choice(["commit"] * 6 + ["undo"] * 3 + ["redo"] * 2)
        if choice == "commit":
            present = store.annotations(image_id)
            changes = random_changes(present, image_id, labels, rng)
            step = json.dumps({"do": "commit", "state": outcome(present, changes)})
            request = f"{rng.getrandbits(64):x}"
            print("try", step, flush=True)
            for _ in range(rng.choice([1, 1, 2])):  # as if a reply had been lost
                store.commit(image_id, "change", changes, request)
        else:
            step = json.dumps({"do": choice})
            print("try", step, flush=True)
            try:
                store.undo(image_id) if choice == "undo" else store.redo(image_id)
            except Conflict:
                print("nothing", flush=True)
                continue
        print("ok", step, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
