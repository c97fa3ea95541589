"""What was acknowledged survives `kill -9` of the program: present once, whole, and still undoable.

ANNOTATOR_TEST_KILLS sets how often the program is killed, per kind of database.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from journal_writer import Model, state_of

from annotator.storage.store import Store
from annotator.types import ImageRecord

pytest_plugins = ["postgres"]

KILLS = int(os.environ.get("ANNOTATOR_TEST_KILLS", "5"))


def killed_run(url: str, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Let a writer work, kill it at a random moment. The steps it acknowledged, and the one it was at, if any."""
    rng = random.Random(seed)
    command = [sys.executable, str(Path(__file__).with_name("journal_writer.py")), url, "image", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(rng.randrange(1, 60))]
        time.sleep(rng.random() * 0.03)
        writer.kill()
        lines += writer.stdout.readlines()
    acknowledged: list[dict[str, Any]] = []
    pending: dict[str, Any] | None = None
    for line in lines:
        word, _, step = line.strip().partition(" ")
        if word == "try":
            pending = json.loads(step)
        else:
            acknowledged += [json.loads(step)] if word == "ok" else []
            pending = None
    return acknowledged, pending


def test_nothing_acknowledged_is_lost_doubled_or_half_applied(store_url: str) -> None:
    store = Store(store_url)
    project = store.create_project("p", "me")
    for name in "abc":
        store.add_label(project.id, name)
    store.add_image(ImageRecord("image", project.id, "x.jpg", "c", "p", 40, 30))
    model, steps = Model(), 0
    for seed in range(KILLS):
        acknowledged, pending = killed_run(store_url, seed)
        for step in acknowledged:
            model.take(step)
        history = store.commit("image", "wait for what the dead program may still hold", [])
        steps += len(acknowledged)
        if pending is not None and history.revision == steps + 1:
            model.take(pending)
            steps += 1
        assert history.revision == steps
        assert state_of(store.annotations("image")) == model.state
    while model.present:
        model.take({"do": "undo"})
        store.undo("image")
        assert state_of(store.annotations("image")) == model.state
    while model.present < len(model.states) - 1:
        model.take({"do": "redo"})
        store.redo("image")
        assert state_of(store.annotations("image")) == model.state
    assert store.history("image").redo is None
    store.close()
