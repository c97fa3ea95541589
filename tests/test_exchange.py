"""Importing other tools' files: what is usable is kept once, the rest is named, and no image becomes unusable."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import ImageRecord, Project
from annotator.workspace.annotations import Annotations
from annotator.workspace.exchange import Exchange
from annotator.workspace.images import Images


class Space:
    """A project with one image of `side` x `side` pixels."""

    def __init__(self, folder: Path, side: int = 40) -> None:
        settings = Settings(data_dir=folder)
        self.store = Store(settings.store_url)
        self.images = Images(settings, self.store)
        self.exchange = Exchange(self.store, self.images, Annotations(self.store))
        self.project: Project = self.store.create_project("birds", "ann")
        buffer = io.BytesIO()
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(buffer, "PNG")
        self.image: ImageRecord = self.images.add(self.project, "a.png", buffer.getvalue())[0]

    def load(self, categories: list[str], masks: list[dict[str, Any]]) -> tuple[int, list[str]]:
        """Import a file whose n-th annotation has the n-th mask and the n-th category, round and round."""
        document = {
            "images": [{"id": 1, "file_name": "a.png", "width": self.image.width, "height": self.image.height}],
            "categories": [{"id": number, "name": name} for number, name in enumerate(categories)],
            "annotations": [
                {"id": number, "image_id": 1, "category_id": number % len(categories), "segmentation": mask}
                for number, mask in enumerate(masks)
            ],
        }
        return self.exchange.import_coco(self.project, json.dumps(document).encode())

    def labels(self) -> dict[str, int]:
        names = {label.id: label.name for label in self.store.labels(self.project.id)}
        counts = dict.fromkeys(names.values(), 0)
        for each in self.store.annotations(self.image.id):
            counts[names[each.label_id]] += 1
        return counts


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    space = Space(tmp_path)
    yield space
    space.store.close()


def block(x: int, side: int = 40) -> dict[str, Any]:
    return rle.to_dict(rle.encode_at(np.ones((2, 3), bool), x, x, side, side))


def test_category_names_of_every_script_are_labels(space: Space) -> None:
    persian, family = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    names = ["traffic\u00a0light", persian, family, "\u05d0\u200f", "two\nlines", "x" * 200]
    assert space.load(names, [block(x) for x in range(len(names))]) == (6, [])
    assert space.labels() == dict.fromkeys(
        ["traffic light", persian, family, "\u05d0\u200f", "two lines", "x" * 200], 1
    )


def test_a_category_that_cannot_be_a_label_is_named_and_the_rest_is_kept(space: Space) -> None:
    added, problems = space.load(["cat", "a\x07b", "x" * 201], [block(x) for x in range(6)])
    assert added == 2 and space.labels() == {"cat": 2}
    assert len(problems) == 2 and "a\\x07b" in problems[0] and "control characters" in problems[0]


def test_a_file_imported_twice_doubles_nothing(space: Space) -> None:
    masks = [block(x) for x in (0, 5, 5)]
    assert space.load(["cat"], masks) == (2, [])
    history = space.store.history(space.image.id)
    assert space.load(["cat"], masks) == (0, [])
    assert space.store.history(space.image.id) == history
    assert space.load(["cat", "dog"], [*masks, block(20)]) == (2, [])  # dog at 5, and at 20
    assert space.labels() == {"cat": 2, "dog": 2}


def test_a_mask_that_could_not_be_shown_is_named_and_the_image_opens(tmp_path: Path) -> None:
    side = 2100
    space = Space(tmp_path, side)
    stripes = {"size": [side, side], "counts": [side] * side}
    added, problems = space.load(["cat"], [block(3, side), stripes, block(9, side)])
    assert added == 2 and len(problems) == 1
    assert "Annotation 1" in problems[0] and "intricate" in problems[0]
    assert len(space.store.document(space.image.id).annotations) == 2
    space.store.close()
