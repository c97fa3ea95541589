"""COCO files that we write: losslessly, and as pycocotools and strict trainers take them."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from annotator.errors import CorruptData, InvalidMask
from annotator.formats import coco
from annotator.formats.dataset import Dataset
from annotator.masks import rle
from annotator.types import RLE, Annotation, BoolArray, ImageRecord, Label

IMAGES = [
    ImageRecord("i-b", 1, "b.jpg", "sha-b", "pix-b", width=50, height=40),
    ImageRecord("i-a", 1, "a.png", "sha-a", "pix-a", width=31, height=17, orientation=6),
]
LABELS = [Label(7, 1, "dog", "#112233", "animal", "2"), Label(3, 1, "cup", "#445566")]


def random_mask(image: ImageRecord, seed: int) -> BoolArray:
    coarse = np.random.default_rng(seed).random((8, 8)) < 0.4
    return np.kron(coarse, np.ones((8, 8), bool))[: image.height, : image.width]


def annotation(name: str, image: ImageRecord, label: Label, mask: RLE, score: float | None = None) -> Annotation:
    return Annotation(name, image.id, label.id, mask, rle.area(mask), rle.bbox(mask), score)


MASKS = [random_mask(IMAGES[0], 0), random_mask(IMAGES[1], 1), random_mask(IMAGES[0], 2)]
ANNOTATIONS = [
    annotation("x", IMAGES[0], LABELS[0], rle.encode(MASKS[0]), 0.75),
    annotation("y", IMAGES[1], LABELS[1], rle.encode(MASKS[1])),
    annotation("z", IMAGES[0], LABELS[1], rle.encode(MASKS[2])),
]


@pytest.fixture
def document() -> dict[str, Any]:
    built: dict[str, Any] = json.loads(json.dumps(coco.build(IMAGES, LABELS, ANNOTATIONS)))
    return built


def test_pycocotools_loads_the_same_masks(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(document))
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(str(path))
    assert sorted(loaded.getAnnIds()) == [1, 2, 3]
    assert [cat["name"] for cat in loaded.loadCats(loaded.getCatIds())] == ["dog", "cup"]
    for entry, mask in zip(loaded.loadAnns([1, 2, 3]), MASKS, strict=True):
        assert np.array_equal(loaded.annToMask(entry), mask)
        assert entry["area"] == coco_mask.area(entry["segmentation"])
        assert entry["bbox"] == coco_mask.toBbox(entry["segmentation"]).astype(int).tolist()


def test_fields_are_those_that_consumers_accept(document: dict[str, Any]) -> None:
    assert [entry["id"] for entry in document["annotations"]] == [1, 2, 3]
    assert [entry["image_id"] for entry in document["annotations"]] == [1, 2, 1]
    assert [entry["category_id"] for entry in document["annotations"]] == [1, 2, 2]
    for entry in document["annotations"]:
        assert entry["iscrowd"] == 0 and "ignore" not in entry
        assert type(entry["segmentation"]["counts"]) is str and type(entry["area"]) is int
        image = document["images"][entry["image_id"] - 1]
        assert entry["segmentation"]["size"] == [image["height"], image["width"]]
    assert document["images"][1] == {"id": 2, "file_name": "a.png", "width": 31, "height": 17}
    assert document["categories"][0] == {"id": 1, "name": "dog", "supercategory": "animal"}
    assert "EXIF" in document["info"]["description"] and document["licenses"] == []


def test_score_is_written_only_where_there_is_one(document: dict[str, Any]) -> None:
    assert document["annotations"][0]["score"] == 0.75
    assert "score" not in document["annotations"][1]


def test_nothing_to_export_is_a_valid_file() -> None:
    assert coco.build([], [], [])["annotations"] == []


def test_a_mask_of_another_size_is_named() -> None:
    wrong = annotation("bad-one", IMAGES[0], LABELS[0], rle.empty(50, 40))
    with pytest.raises(InvalidMask, match=r"bad-one of b\.jpg"):
        coco.build(IMAGES, LABELS, [*ANNOTATIONS, wrong])


def test_a_malformed_mask_is_named() -> None:
    broken = replace(ANNOTATIONS[0], id="bad-one", mask=RLE(40, 50, np.array([3, 4], np.uint32)))
    with pytest.raises(InvalidMask, match="bad-one"):
        coco.build(IMAGES, LABELS, [broken])


def test_a_contradiction_is_named() -> None:
    for broken in (
        replace(ANNOTATIONS[0], id="bad-one", area=1),
        replace(ANNOTATIONS[0], id="bad-one", bbox=(0, 0, 1, 1)),
        replace(ANNOTATIONS[0], id="bad-one", image_id="elsewhere"),
        replace(ANNOTATIONS[0], id="bad-one", label_id=99),
        replace(ANNOTATIONS[0], id="bad-one", mask=RLE(40, 50, np.array([1000, 0, 1000], np.uint32))),
    ):
        with pytest.raises(CorruptData, match="bad-one"):
            coco.build(IMAGES, LABELS, [broken])


def test_a_file_is_written_piece_by_piece_and_holds_what_build_gives(document: dict[str, Any]) -> None:
    stream = io.BytesIO()
    coco.write(Dataset(IMAGES, LABELS, ANNOTATIONS), stream)
    assert json.loads(stream.getvalue()) == document
    stream = io.BytesIO()
    coco.write(Dataset([], [], []), stream)
    assert json.loads(stream.getvalue()) == json.loads(json.dumps(coco.build([], [], [])))


def test_categories_keep_the_numbers_that_an_imported_file_gave_them() -> None:
    def numbers(*given: int | None) -> list[int]:
        return coco.category_ids([Label(n, 1, str(n), "#000000", category_id=each) for n, each in enumerate(given)])

    assert numbers(None, None) == [1, 2]
    assert numbers(90, None, 3, None) == [90, 91, 3, 92]
    assert numbers(0, 1) == [0, 1] and numbers(0, None) == [0, 1]
    assert numbers(7, 7, None) == [7, 8, 9]


def test_crowds_are_written_as_crowds() -> None:
    crowd = replace(ANNOTATIONS[0], crowd=True)
    assert [each["iscrowd"] for each in coco.build(IMAGES, LABELS, [crowd, ANNOTATIONS[1]])["annotations"]] == [1, 0]
