"""COCO files: what pycocotools and strict trainers accept, written losslessly and read leniently."""

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
    built: dict[str, Any] = json.loads(json.dumps(coco.build(IMAGES, LABELS, ANNOTATIONS, "Kitchen.")))
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


def test_reads_what_it_wrote(document: dict[str, Any]) -> None:
    imported, problems = coco.parse(document, IMAGES)
    assert problems == []
    assert [(e.image_id, e.category, e.supercategory, e.score) for e in imported] == [
        ("i-b", "dog", "animal", 0.75),
        ("i-a", "cup", "", None),
        ("i-b", "cup", "", None),
    ]
    assert [entry.mask for entry in imported] == [entry.mask for entry in ANNOTATIONS]


def single(segmentation: object, **fields: object) -> dict[str, Any]:
    """A document with one image, one category and one annotation."""
    return {
        "images": [{"id": 5, "file_name": "train/b.jpg", "width": 50, "height": 40}],
        "categories": [{"id": 2, "name": "dog"}],
        "annotations": [{"id": 9, "image_id": 5, "category_id": 2, "segmentation": segmentation, **fields}],
    }


def pixels(document: object) -> BoolArray:
    imported, problems = coco.parse(document, IMAGES)
    assert problems == []
    return rle.decode(imported[0].mask)


def test_reads_uncompressed_runs() -> None:
    counts = rle.encode(MASKS[0]).counts.tolist()
    assert np.array_equal(pixels(single({"size": [40, 50], "counts": counts}, iscrowd=1)), MASKS[0])


def test_reads_polygons_as_pycocotools() -> None:
    parts = [
        [2, 2, 20.5, 3, 12, 30],
        [30, 5, 45, 5, 45, 20, 30, 20.25],
        [10, 5, 35, 10, 12, 18],
        [1, 1, 30, 30, 30, 1, 1, 30],
    ]
    for some in (parts[:1], parts[3:], parts):
        expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(some, 40, 50)))
        assert np.array_equal(pixels(single(some)), expected)


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[]],
        [5, 6, 7, 8, 9, 10],
        [[1, 2, 3, 4, 5]],
        [[-90, -90, -80, -90, -80, -80]],
        [[10**400, 0, 1, 1, 2, 2]],
        "counts",
        {},
        {"size": [50, 40], "counts": [2000]},
        {"size": [40, 50], "counts": [2000]},
        {"size": [40, 50], "counts": [-1, 2001]},
        {"size": [40, 50], "counts": "garbage!"},
        {"size": [40, 50], "counts": {"a": 1}},
        {"size": [40, 50]},
        {"size": 3, "counts": "0"},
    ],
)
def test_a_bad_mask_is_reported_and_the_rest_kept(segmentation: object) -> None:
    document = single(segmentation)
    document["annotations"].append({"id": 10, "image_id": 5, "category_id": 2, "segmentation": [[1, 1, 9, 1, 9, 9]]})
    imported, problems = coco.parse(document, IMAGES)
    assert len(imported) == 1 and len(problems) == 1
    assert "Annotation 9" in problems[0]


def test_every_unusable_entry_is_reported(document: dict[str, Any]) -> None:
    good = dict(document["annotations"][0])
    document["annotations"] += [
        None,
        {},
        good | {"id": 21, "image_id": 77},
        good | {"id": 22, "category_id": []},
        good | {"id": 23, "category_id": 3},
        good | {"id": 24, "image_id": 3},
        good | {"id": 25, "image_id": 3},
        good | {"id": 26, "image_id": 4},
    ]
    document["categories"] += [{"id": 3, "name": " "}, {"id": 1, "name": "again"}, "category"]
    document["images"] += [
        {"id": 3, "file_name": "unknown.jpg", "width": 5, "height": 5},
        {"id": 4, "file_name": "b.jpg", "width": 40, "height": 50},
        {"id": 5},
        {"file_name": "a.png"},
    ]
    imported, problems = coco.parse(document, IMAGES)
    assert len(imported) == 3
    text = "\n".join(problems)
    for expected in (
        "Entries of annotations that are no JSON objects: 1.",
        "Annotation number 4: it belongs to no image",
        "Annotation 21: it belongs to no image",
        "Annotation 22: it belongs to no category",
        "Annotation 23: its category has no name",
        "unknown.jpg is not an image of this project. Annotations left out: 2.",
        "b.jpg is 40 x 50 in the file, 50 x 40 here (upright). Annotations left out: 1.",
        "Images without annotations that match none here: 1.",
        "One of the images has no id",
        "One of the categories has no id, or the id of another: 1.",
    ):
        assert expected in text
    assert len(problems) == 11


def test_folders_on_either_side_do_not_keep_a_file_from_its_image() -> None:
    def found(here: str, there: str) -> int:
        document = {
            "images": [{"id": 1, "file_name": there, "width": IMAGES[0].width, "height": IMAGES[0].height}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}],
        }
        return len(
            coco.parse(document, [replace(IMAGES[0], name=here), replace(IMAGES[0], id="x", name="other/b.jpg")])[0]
        )

    assert found("deep/a.jpg", "deep/a.jpg") == 1
    assert found("deep/a.jpg", "a.jpg") == 1
    assert found("a.jpg", "photos\\a.jpg") == 1
    assert found("a.jpg", "c.jpg") == 0
    assert found("deep/b.jpg", "b.jpg") == 0, "two could be meant"


@pytest.mark.parametrize("document", [None, [], "coco", {}, {"images": {}, "categories": 3, "annotations": None}])
def test_what_is_not_coco_is_said_to_be_so(document: object) -> None:
    imported, problems = coco.parse(document, IMAGES)
    assert imported == [] and problems


def test_the_size_tells_images_of_one_name_apart() -> None:
    twins = [IMAGES[0], replace(IMAGES[0], id="other", width=60)]
    imported, problems = coco.parse(single([[1, 1, 9, 1, 9, 9]]), twins)
    assert [entry.image_id for entry in imported] == ["i-b"] and problems == []
    imported, problems = coco.parse(single([[1, 1, 9, 1, 9, 9]]), [IMAGES[0], replace(IMAGES[0], id="other")])
    assert imported == [] and "2 images" in problems[0]


@pytest.mark.parametrize("score", ["high", None, float("nan"), float("inf"), 10**400, -1, [1]])
def test_an_odd_score_is_dropped(score: object) -> None:
    imported, problems = coco.parse(single([[1, 1, 9, 1, 9, 9]], score=score), IMAGES)
    assert imported[0].score is None and problems == []
