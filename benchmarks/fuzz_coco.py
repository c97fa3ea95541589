"""Damaged COCO files for `benchmarks.fuzz`: mutations of a small valid one, imported into a real store."""

from __future__ import annotations

import io
import json
import os
import random
import re
import uuid
import zlib
from functools import cache
from typing import Any

import numpy as np

from annotator.errors import InvalidRequest, NotJson
from annotator.masks import rle
from annotator.storage.files import ImageFiles
from annotator.storage.local_files import LocalFiles
from annotator.storage.store import Store
from annotator.types import ImageRecord, Project
from annotator.workspace.exchange import Exchange
from benchmarks import scratch
from benchmarks.mutation import ODD, damage, mutate

_SIZES = {"a.png": (40, 30), "val/b.jpg": (50, 40), "train/b.jpg": (50, 40), "dé.png": (20, 20), "turned.jpg": (30, 40)}
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What no sentence to a user may hold, as it has more than one line or does not show."""
_ODD = (
    *ODD,
    *(
        [[1, 2]],
        [[1, 2, 3, 4]],
        [1, 1, 9, 1, 9, 9],
        [[1, 1, 9, 1, 9, 9]],
        [[-1e5, 0, 1e5, 1, 9, 9]],
        [40, 30],
        [30, 40],
    ),
    *({"size": [30, 40], "counts": [1200]}, {"size": [10**5, 10**4], "counts": [0, 10**9]}, {"counts": "0"}),
)


def _valid() -> dict[str, Any]:
    """One image of every kind of name, one annotation of every kind of mask."""
    mask = np.zeros((30, 40), dtype=np.bool_)
    mask[5:15, 5:25] = mask[8:20, 12:18] = True
    compressed = rle.to_dict(rle.encode(mask))
    uncompressed = {"size": [30, 40], "counts": rle.encode(mask).counts.tolist()}
    masks = [compressed, uncompressed, [[1, 1, 20.5, 2, 9, 25]], [[1, 1, 9, 1, 9, 9], [20, 20, 35, 20, 30, 28], [3, 3]]]
    annotations: list[dict[str, Any]] = [
        {"id": number, "image_id": image_id, "category_id": 1 + number % 2, "segmentation": each, "score": 0.5}
        for number, (image_id, each) in enumerate(zip((1, 1, 2, 3), masks, strict=True))
    ]
    annotations += [
        {"id": 10, "image_id": 1, "category_id": 90, "segmentation": [[5, 5, 30, 5, 30, 28]], "iscrowd": 1},
        {"id": 11, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 12, "image_id": 4, "category_id": 1, "segmentation": [[5, 5, 30, 5, 30, 28]]},
    ]
    return {
        "info": {"description": "fuzz"},
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 2, "file_name": "images\\val\\b.jpg", "width": 50, "height": 40},
            {"id": 3, "file_name": "de\u0301.png"},
            {"id": 4, "file_name": "turned.jpg", "width": 40, "height": 30},
        ],
        "categories": [
            {"id": 1, "name": "cat"},
            {"id": 2, "name": "dog", "supercategory": "x"},
            {"id": 90, "name": "t"},
        ],
        "annotations": annotations,
    }


def case(rng: random.Random) -> bytes:
    """One to eight changes to the values of a valid file; every fifth time some to its bytes as well."""
    document: Any = _valid()
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        mutate(document, rng, _ODD)
    data = json.dumps(document, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass")
    return damage(data, rng) if rng.random() < 0.2 else data


def run(data: bytes) -> str:
    """Import the file; every fourth one twice, and export what came of it. Any unexpected error is a crash."""
    store = _store()
    project = store.create_project(uuid.uuid4().hex, "fuzz")
    for name, (width, height) in _SIZES.items():
        orientation = 6 if name == "turned.jpg" else 3 if name == "a.png" else 1
        store.add_image(ImageRecord(f"{project.id}/{name}", project.id, name, "", "", width, height, orientation))
    exchange = Exchange(store, ImageFiles(LocalFiles(scratch.folder() / "images")))
    try:
        added, _, problems = exchange.import_file(project, "coco", io.BytesIO(data))
    except (NotJson, InvalidRequest) as error:
        return _refused(error, store, project)
    for each in problems:
        each.encode()
        assert 10 < len(each) < 800 and not _UNFIT.search(each), f"not a readable sentence: {each!r}"
    assert len(problems) < 40, "too many sentences"
    annotations = list(store.iter_annotations(project.id))
    assert len(annotations) == added, "not what was said"
    for annotation in annotations:
        rle.validate(annotation.mask)
        cropped = rle.to_cropped(annotation.mask)
        assert rle.from_cropped(cropped, annotation.mask.height, annotation.mask.width) == annotation.mask
    if zlib.crc32(data) % 4 == 0:
        assert exchange.import_file(project, "coco", io.BytesIO(data))[0] == 0, "a second import added something"
        stream = io.BytesIO()
        exchange.export(project, "coco", stream)
        assert len(json.loads(stream.getvalue())["annotations"]) == added
    return "all used" if added == 6 else "some used" if added else "nothing used"


def _refused(error: Exception, store: Store, project: Project) -> str:
    assert "\n" not in str(error) and len(str(error)) < 300, "not one short sentence"
    assert not store.labels(project.id), "a refused file left labels"
    return "refused"


@cache
def _store() -> Store:
    """The database of this process."""
    return Store(f"sqlite:///{scratch.folder() / f'{os.getpid()}.db'}")
