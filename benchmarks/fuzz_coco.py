"""Odd COCO files for `benchmarks.fuzz`: valid documents whose values, keys and bytes are changed, imported for real."""

from __future__ import annotations

import atexit
import copy
import io
import json
import random
import shutil
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from annotator.errors import AnnotatorError
from annotator.formats import coco
from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import ImageRecord, Project
from annotator.workspace.annotations import Annotations
from annotator.workspace.exchange import Exchange
from annotator.workspace.images import Images

_SIZES = {"a.png": (40, 30), "val/b.png": (16, 16), "Brücke.jpg": (25, 60)}
"""Width and height of the project's images."""
_ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 1.0, 1.5, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**40, "", " ", "1", "a.png",
    "A.PNG", "./val\\b.png", "Bru\u0308cke.jpg", "\ud83d", "\0", "\u00a0\u200d\u200f\n", "x" * 300, "../../etc/passwd",
    [], {}, [[]], [1, 2, 3], [[0, 0, 9, 0, 9, 9]], [[1, 2]], {"size": [30, 40], "counts": "0"}, {"size": None},
    "<b>&\"'</b>",
)  # fmt: skip
_CASES_A_STORE = 500


def _valid(rng: random.Random) -> dict[str, Any]:
    """A document with a few objects in every form of a mask."""
    images: list[dict[str, Any]] = [
        {"id": number, "file_name": name, "width": width, "height": height}
        for number, (name, (width, height)) in enumerate(_SIZES.items(), 1)
    ]
    annotations: list[dict[str, Any]] = []
    for number in range(rng.randint(1, 5)):
        image = rng.choice(images)
        width, height = _SIZES[image["file_name"]]
        noise = np.random.default_rng(rng.randrange(2**32)).random((height, width))
        mask = rle.encode(noise < rng.choice((0.05, 0.5)))
        compressed = rle.to_dict(mask)
        forms = [
            compressed,
            {**compressed, "counts": mask.counts.tolist()},
            [[1, 1, 9, 1, 9, 9, 1, 9]],
            [[1, 1, 5, 5, 1, 5], [2, 2]],
        ]
        annotations.append({
            "id": number, "image_id": image["id"], "category_id": rng.choice((1, 7)), "segmentation": rng.choice(forms),
            "area": 9, "bbox": [1, 1, 8, 8], "iscrowd": rng.choice((0, 0, 1)), "score": 0.5,
        })  # fmt: skip
    categories = [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 7, "name": "dog"}]
    return {"info": {}, "licenses": [], "images": images, "categories": categories, "annotations": annotations}


def case(rng: random.Random) -> bytes:
    """A document with up to five changed values; one in ten has changed bytes instead."""
    document: Any = _valid(rng)
    if rng.random() < 0.1:
        data = bytearray(json.dumps(document).encode())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            data[at : at + rng.choice((0, 1, 30))] = rng.choice(
                (b"", b"[" * 2000, b"\xff", b'"', b"1e999", rng.randbytes(3))
            )
        return bytes(data)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        document = _changed(document, rng)
    return json.dumps(document).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    """The value with one change somewhere inside."""
    if isinstance(value, dict | list) and value and rng.random() < 0.93:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        if rng.random() < 0.07:
            del value[key]
        elif rng.random() < 0.05 and isinstance(value, list):
            value.append(copy.deepcopy(value[key]))
        else:
            value[key] = _changed(value[key], rng)
        return value
    return copy.deepcopy(rng.choice(_ODD))


class _Place:
    """A store with one project, made anew now and then so that it stays small."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.left = _CASES_A_STORE
        settings = Settings(data_dir=self.folder)
        self.store = Store(f"sqlite:///{self.folder / 'fuzz.db'}")
        self.exchange = Exchange(self.store, Images(settings, self.store), Annotations(self.store))

    def project(self) -> Project:
        """A new project with the images."""
        project = self.store.create_project("fuzz", "owner")
        for name, (width, height) in _SIZES.items():
            key = uuid.uuid4().hex
            self.store.add_image(ImageRecord(key, project.id, name, key, key, width, height))
        return project

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _places() -> list[_Place]:
    places = [_Place()]
    atexit.register(lambda: places[0].close())
    return places


def run(data: bytes) -> str:
    """Import the file, then export it. A refused file must leave nothing behind."""
    places = _places()
    place = places[0]
    if not place.left:
        place.close()
        place = places[0] = _Place()
    place.left -= 1
    project = place.project()
    try:
        count, problems = place.exchange.import_coco(project, data)
    except AnnotatorError:
        assert not place.store.labels(project.id), "labels were left behind"
        assert not _stored(place.store, project), "objects were left behind"
        return "refused"
    assert count == _stored(place.store, project), "another number than was said"
    assert all(isinstance(each, str) and "\n" not in each for each in problems), "a problem is not one sentence"
    json.dumps(problems, ensure_ascii=False).encode()
    stream = io.BytesIO()
    place.exchange.export(project, stream, coco.FORMAT)
    assert len(json.loads(stream.getvalue())["annotations"]) == count
    return "imported" if count else "nothing usable"


def _stored(store: Store, project: Project) -> int:
    return len(list(store.iter_annotations(project.id)))
