"""labelme's files: shapes become the pixels that labelme makes of them."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from annotator.errors import InvalidRequest, NotJson
from annotator.formats import deadline
from annotator.formats.labelme import read
from annotator.formats.registry import detect_format, find_format
from annotator.masks import rle
from tests.datasets import IMAGES, dataset
from tests.test_archive import zipped


def document(*shapes: dict[str, Any], **fields: object) -> bytes:
    file = {"version": "5.0.1", "shapes": list(shapes), "imagePath": "..\\photos\\b.jpg", "imageHeight": 40}
    return json.dumps({**file, "imageWidth": 50, **fields}).encode()


def shape(kind: str | None, *points: tuple[float, float], **fields: object) -> dict[str, Any]:
    return {"label": "cat", "points": points, "shape_type": kind, **fields}


def drawn(draw: str, *points: tuple[float, float]) -> np.ndarray:
    canvas = Image.new("L", (50, 40))
    getattr(ImageDraw.Draw(canvas), draw)(points, outline=1, fill=1)
    return np.asarray(canvas) > 0


TRIANGLE = ((3.2, 4.7), (44.9, 6.1), (20.5, 61.0))


@pytest.mark.parametrize(
    ("kind", "points", "pixels"),
    [
        ("polygon", TRIANGLE, drawn("polygon", *TRIANGLE)),
        (None, TRIANGLE, drawn("polygon", *TRIANGLE)),
        ("oriented_rectangle", ((5, 5), (9, 9), (5, 13), (1, 9)), drawn("polygon", (5, 5), (9, 9), (5, 13), (1, 9))),
        ("rectangle", ((30.5, 20), (10, 5.5)), drawn("rectangle", (10, 5.5), (30.5, 20))),
        ("circle", ((20, 20), (25, 20)), drawn("ellipse", (15, 15), (25, 25))),
    ],
)
def test_shapes_are_the_pixels_of_labelme(kind: str | None, points: Any, pixels: np.ndarray) -> None:
    data = document(shape(kind, *points))
    assert detect_format(data).name == "labelme"
    (found,) = read(data, IMAGES).objects
    assert (found.image_id, found.category.name) == ("i-1", "cat")
    assert np.array_equal(rle.decode(found.mask), pixels)


def test_shapes_of_one_group_are_one_object() -> None:
    corners = ((0, 0), (4, 4)), ((20, 20), (24, 24)), ((40, 30), (44, 34))
    shapes = [shape("rectangle", *each, group_id=group) for each, group in zip(corners, (1, 1, None), strict=True)]
    found = read(document(*shapes), IMAGES).objects
    assert [rle.area(each.mask) for each in found] == [50, 25]


def png(width: int, height: int) -> str:
    stream = io.BytesIO()
    Image.new("L", (width, height), 1).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (shape("linestrip", (0, 0), (5, 5)), "type linestrip have no area"),
        (shape("polygon", (0, 0), (5, 5)), "polygon of 2 points"),
        (shape("rectangle", (0, 0)), "rectangle of 1 points"),
        (shape("polygon", (0, 0), (1e9, 5), (5, 5)), "far outside"),
        (shape("polygon", (0, 0), (float("nan"), 5), (5, 5)), "not a list of pairs"),
        (shape("rectangle", (60, 60), (70, 70)), "covers no pixel"),
        ({"label": "", "points": TRIANGLE}, "no label"),
        (shape("mask", (0, 0), (4, 4)), "mask is missing"),
        (shape("mask", (0, 0), (4, 4), mask="%%%"), "not a PNG"),
        (shape("mask", (0, 0), (4, 4), mask=png(3, 3)), "3 x 3 and not 5 x 5"),
        (shape("mask", (48, 0), (52, 4), mask=png(5, 5)), "does not fit"),
    ],
)
def test_a_shape_that_cannot_be_used_is_reported_and_the_rest_is_kept(bad: dict[str, Any], why: str) -> None:
    found = read(document(bad, shape("polygon", *TRIANGLE)), IMAGES)
    assert len(found.objects) == 1
    (sentence,) = found.problems.sentences()
    assert sentence.startswith("A shape of train/b.jpg cannot be used.") and why in sentence


def test_files_of_other_images_and_sizes_are_named() -> None:
    files = {
        "x/1.json": document(shape("polygon", *TRIANGLE), imagePath="else.jpg"),
        "train/2.json": document(shape("polygon", *TRIANGLE), imagePath="b.jpg", imageWidth=51),
        "x/3.json": b"[1]",
        "x/4.json": b"{",
    }
    found = read(zipped(files), IMAGES)
    assert not found.objects and not found.categories
    assert found.problems.sentences() == [
        "2 files are not files of labelme: x/3.json, x/4.json.",
        "train/b.jpg has another size here.",
        "x/else.jpg is not an image of this project.",
    ]


def test_reading_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", -1)
    with pytest.raises(InvalidRequest, match="took too long"):
        read(document(shape("polygon", *TRIANGLE)), IMAGES)


def test_a_file_that_is_no_json_is_refused() -> None:
    with pytest.raises(NotJson):
        read(b"{", IMAGES)


def test_a_file_stands_beside_its_image() -> None:
    stream = io.BytesIO()
    find_format("labelme").write(dataset(), stream)
    with zipfile.ZipFile(stream) as archive:
        assert archive.namelist() == ["train/b.json", "val/B.json"]
        file = json.loads(archive.read("train/b.json"))
    assert (file["imagePath"], file["imageHeight"], file["imageWidth"], file["imageData"]) == ("b.jpg", 40, 50, None)
    assert {each["shape_type"] for each in file["shapes"]} == {"mask"}
