"""YOLO's folders: what ultralytics finds in them, and labels that other programs wrote."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

from annotator.errors import InvalidRequest
from annotator.formats.registry import detect_format, find_format
from annotator.formats.yolo_seg import read
from annotator.masks import rle
from annotator.types import Label
from tests.datasets import IMAGES, LABELS, dataset, image_file
from tests.test_archive import zipped

SUBSETS = {"i-1": "train", "i-2": "val", "i-3": "val"}
SQUARE = b"0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n"


def exported(name: str) -> dict[str, bytes]:
    stream = io.BytesIO()
    find_format(name).write(replace(dataset(), subsets=SUBSETS), stream)
    with zipfile.ZipFile(stream) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


@pytest.mark.parametrize("name", ["yolo-seg", "yolo-det"])
def test_every_image_is_there_with_its_labels(name: str) -> None:
    files = exported(name)
    assert list(files) == [
        "data.yaml",
        *("images/val/c.png", "labels/val/c.txt"),
        *("images/train/train/b.jpg", "labels/train/train/b.txt"),
        *("images/val/val/B.PNG", "labels/val/val/B.txt"),
    ]
    assert yaml.safe_load(files["data.yaml"]) == {
        "path": ".",
        "train": "images/train",
        "val": "images/val",
        "names": {0: LABELS[0].name, 1: "cup"},
    }
    assert files["images/train/train/b.jpg"] == image_file(IMAGES[0])
    assert files["images/val/c.png"].startswith(b"\x89PNG"), "ultralytics reads no GIF"
    assert files["labels/val/c.txt"] == b"", "a background image has no labels"


def test_without_images_for_validation_the_training_images_are_named() -> None:
    stream = io.BytesIO()
    find_format("yolo-seg").write(dataset(), stream)
    with zipfile.ZipFile(stream) as archive:
        assert yaml.safe_load(archive.read("data.yaml"))["val"] == "images/train"


def test_lines_hold_shares_of_the_sides_and_at_least_three_points() -> None:
    lines = exported("yolo-seg")["labels/train/train/b.txt"].decode().splitlines()
    assert len(lines) == 6, "the crowd is left out"
    for line, each in zip(lines, dataset().annotations, strict=False):
        number, *shares = line.split()
        assert int(number) == [label.id for label in LABELS].index(each.label_id)
        values = np.array(shares, float).reshape(-1, 2)
        assert len(values) >= 3 and values.min() >= 0 and values.max() <= 1
        canvas = np.zeros((40, 50), np.uint8)
        cv2.fillPoly(canvas, [(values.astype(np.float32) * (50, 40)).astype(np.int32)], 1)  # as ultralytics does
        filled = rle.encode(canvas.astype(bool))
        assert rle.difference(each.mask, filled) == rle.empty(40, 50)
    assert exported("yolo-det")["labels/train/train/b.txt"].decode().splitlines()[2] == "0 0.5 0.5 1 1"


@pytest.mark.parametrize("names", ["[cat, dog]", "{0: cat, 1: dog}"])
def test_labels_of_others_are_read_with_the_names_of_their_classes(names: str) -> None:
    data = zipped(
        {
            "set/data.yaml": f"names: {names}".encode(),
            "set/labels/b.txt": SQUARE + b"1 0.5 0.5 0.2 0.2\n7 0 0 1 0 1 1\n\n",
            "set/labels/else.txt": SQUARE,
            "set/readme.txt": b"hello",
        }
    )
    assert detect_format(data).name == "yolo-seg"
    found = read(data, IMAGES[:1])
    assert [(each.category.name, rle.bbox(each.mask)) for each in found.objects] == [
        ("cat", (5, 4, 41, 33)),
        ("7", (0, 0, 50, 40)),
    ]
    assert [each.name for each in found.categories] == ["cat", "dog", "7"]
    assert found.problems.sentences() == [
        "One line is a box and has no mask.",
        "Class 7 has no name in the file; its number was used.",
        "set/labels/else.txt belongs to no image of this project.",
    ]


def test_a_list_of_names_does_as_well() -> None:
    found = read(zipped({"classes.txt": b"cat\ndog\n", "b.txt": SQUARE}), IMAGES[:1])
    assert [each.category.name for each in found.objects] == ["cat"]


@pytest.mark.parametrize(
    "line",
    [
        b"cat 1 2 3 4 5 6",
        b"0 nan 0 1 0 1 1",
        b"0 5 5 9 5 9 9",
        b"0 .1 .1 .2",
        b"-1 0 0 1 0 1 1",
        b"9999999999 0 0 1 0 1 1",
    ],
)
def test_lines_that_are_no_polygons_are_reported_and_the_rest_is_kept(line: bytes) -> None:
    found = read(zipped({"labels/b.txt": line + b"\n" + SQUARE, "classes.txt": b"cat"}), IMAGES[:1])
    assert len(found.objects) == 1
    assert found.problems.sentences() == ["A line of labels/b.txt is no class with the points of a polygon."]


@pytest.mark.parametrize(
    "text", [b"names: [", b"\xff\xfe\xfa", b"[" * 600, b"x" * (1 << 21), b"a: &a [b]\nnames: [*a, *a]"]
)
def test_yaml_that_is_none_is_one_sentence(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"data\.yaml is"):
        read(zipped({"data.yaml": text, "labels/b.txt": SQUARE}), IMAGES)


def test_names_of_labels_come_back_whatever_they_hold() -> None:
    names = ['"', "\\", "a: b", "# no", "- x", "{y}", "☃ 🦊", "yes", "1", "'"]
    content = replace(
        dataset(), labels=[*LABELS, *(Label(100 + n, 1, name, "#000000") for n, name in enumerate(names))]
    )
    stream = io.BytesIO()
    find_format("yolo-det").write(content, stream)
    with zipfile.ZipFile(stream) as archive:
        found = yaml.safe_load(archive.read("data.yaml"))["names"]
    assert list(found.values())[2:] == names
