"""`import annotator` for programs: images in any form, masks out, errors in one sentence."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import annotator
from annotator.errors import InvalidImage, InvalidMask, InvalidPrompt, InvalidSetting
from annotator.masks import geometry, rle
from annotator.sam.predictor import Predictor
from tests.conftest import ROOT, SAMPLES

CAT = SAMPLES / "skimage_chelsea.jpg"
BOX = (110, 20, 440, 290)


@pytest.fixture(scope="module")
def model(predictor: Predictor) -> annotator.Model:
    return annotator.Model(predictor, max_pixels=1_000_000)


@pytest.fixture(scope="module")
def image(model: annotator.Model) -> annotator.Image:
    return model.encode(CAT)


@pytest.mark.parametrize("name", ["model", "image", "mask"])
def test_the_examples_in_the_docstrings_are_true(
    name: str, model: annotator.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("annotator.api.model.load", lambda *_, **__: model)  # it is loaded already
    found = doctest.testmod(importlib.import_module(f"annotator.api.{name}"))
    assert found.attempted and not found.failed


def test_importing_it_loads_nothing_heavy_before_it_is_used() -> None:
    code = (
        "import sys, annotator; assert {'load', 'Mask', 'AnnotatorError'} <= set(dir(annotator))\n"
        "assert not {'torch', 'numpy', 'gradio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'annotator' has no attribute 'lod'"):
        annotator.lod  # noqa: B018


def test_paths_arrays_and_pillow_images_are_the_same_image(model: annotator.Model, cat: np.ndarray) -> None:
    opened = Image.open(CAT)
    given = [CAT, str(CAT), cat, opened, np.dstack((cat, np.full(cat.shape[:2], 255, np.uint8)))]
    for each in given:
        assert np.array_equal(model.encode(each).pixels, cat)
    grey = model.encode(cat[..., 0])
    assert np.array_equal(grey.pixels, np.repeat(cat[..., :1], 3, axis=2))


def test_a_pillow_image_is_turned_upright(model: annotator.Model) -> None:
    turned = Image.new("RGB", (60, 40))
    turned.getexif()[0x0112] = 6
    assert repr(model.encode(turned)) == "<Image 40 x 60>"


def test_the_pixels_of_the_caller_may_change_afterwards(model: annotator.Model, cat: np.ndarray) -> None:
    own = cat.copy()
    encoded = model.encode(own)
    own[:] = 0
    assert np.array_equal(encoded.pixels, cat)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nowhere.jpg", "nowhere.jpg cannot be read"),
        (Path(__file__), "is not an image we can read"),
        (np.zeros((4, 5), np.float32), "not float32 [4, 5]"),
        (np.zeros((4, 5, 2), np.uint8), "not uint8 [4, 5, 2]"),
        (np.zeros((0, 5, 3), np.uint8), "not uint8 [0, 5, 3]"),
        (Image.new("F", (4, 5)), "convert it to RGB"),
        (Image.new("L", (1, 1)).resize((2000, 1)), None),
    ],
)
def test_what_is_no_image_is_one_sentence(model: annotator.Model, given: object, says: str | None) -> None:
    if says is None:
        assert model.encode(given).width == 2000
        return
    with pytest.raises(InvalidImage) as error:
        model.encode(given)
    assert says in str(error.value)


def test_a_mask_is_pixels_run_lengths_polygons_and_a_picture(image: annotator.Image) -> None:
    best, *others = image.segment(points=[(200, 150), (10, 10, 0)])
    assert len(others) == 2 and 0 <= best.score <= 1
    assert best.array.shape == (300, 451) and best.array.dtype == bool
    assert best.array.sum() == best.area > 0
    assert np.array_equal(coco_mask.decode(best.rle).astype(bool), best.array)
    assert tuple(coco_mask.toBbox(best.rle)) == best.bbox
    filled = [geometry.fill_polygon(ring, 300, 451) for ring in best.polygon()]
    together = filled[0]
    for part in filled[1:]:
        together = rle.union(together, part)
    assert np.array_equal(rle.decode(together), best.array), "without a loss"
    picture = cv2.imdecode(np.frombuffer(best._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (300, 451, 3)


def test_many_objects_get_the_masks_that_each_alone_gets(image: annotator.Image) -> None:
    objects = [{"points": [(200, 150)]}, {"box": BOX}, {"points": [(172, 103, 1), (10, 10, 0)], "box": BOX}] * 3
    masks = image.segment_many(objects)
    assert len(masks) == 9
    for mask, each in zip(masks, objects, strict=True):
        (alone,) = image.segment(**each, candidates=1)
        assert rle.iou(mask.runs, alone.runs) > 0.999
    assert image.segment_many([]) == []


def test_a_mask_can_be_corrected(image: annotator.Image) -> None:
    (whole,) = image.segment(box=BOX, candidates=1)
    (again,) = image.segment(points=[(300, 150)], start=whole, candidates=1)
    (same,) = image.segment(points=[(300, 150)], start=whole.array, candidates=1)
    assert again.runs == same.runs
    (eye,) = image.segment(points=[(300, 150)], candidates=1)
    assert rle.iou(again.runs, whole.runs) > 0.5 > rle.iou(eye.runs, whole.runs), "the start says what is meant"
    (confirmed,) = image.segment(points=[(200, 150)], start=whole, candidates=1)
    assert rle.iou(confirmed.runs, whole.runs) > 0.8


def test_automatic_masks_lie_mostly_in_their_region(image: annotator.Image) -> None:
    masks = image.automask(points_per_side=8, region=(100, 50, 300, 250))
    assert masks
    assert all(2 * mask.array[50:250, 100:300].sum() >= mask.area for mask in masks)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda image: image.segment(), "needs a point or a box"),
        (lambda image: image.segment(points=[(1,)]), "A point should be (x, y) or (x, y, label), not (1,)."),
        (lambda image: image.segment(points=(1, 2)), "A point should be"),
        (lambda image: image.segment(points=[(1, 2, 5)]), "1 (object) or 0 (background)"),
        (lambda image: image.segment(points=[(1, 999)]), "(1, 999) lies outside the image of 451 x 300"),
        (lambda image: image.segment(points="1,2"), "a list of (x, y)"),
        (lambda image: image.segment(box=(5, 5, 1, 9)), "its upper left corner first"),
        (lambda image: image.segment(box=(1, 2, 3)), "A box should be"),
        (lambda image: image.segment(points=[(1, 2)], candidates=4), "1 to 3 candidates"),
        (lambda image: image.segment_many([{"points": [(1, 2)]}, {"bx": 1}]), "Object 2: 'bx' is not known"),
        (lambda image: image.segment_many([{"points": [(1, 2)]}, {}]), "Object 2: It needs a point or a box"),
        (lambda image: image.segment_many([{"box": (0, 0, 999, 9)}]), "Object 1: The box should lie inside"),
        (lambda image: image.automask(region=(0, 0, 999, 9)), "The region should lie inside"),
        (lambda image: image.automask(points_per_side=0), "1 or more"),
    ],
)
def test_prompts_that_cannot_be_used_are_one_sentence(
    image: annotator.Image, ask: Callable[[annotator.Image], object], says: str
) -> None:
    with pytest.raises(InvalidPrompt) as error:
        ask(image)
    assert says in str(error.value)


def test_a_start_of_another_size_is_one_sentence(image: annotator.Image) -> None:
    with pytest.raises(InvalidMask, match=r"bool \[300, 451\], not bool \[3, 4\]"):
        image.segment(points=[(1, 2)], start=np.zeros((3, 4), bool))


def test_errors_share_a_class_that_is_exported() -> None:
    with pytest.raises(annotator.AnnotatorError, match="There is no model called 'huge'"):
        annotator.load("huge")
    with pytest.raises(InvalidSetting, match=r"^device is 'gpu'"):
        annotator.load("nano", device="gpu")


def test_threads_may_share_a_model(image: annotator.Image) -> None:
    found: list[annotator.Mask] = []
    ask = [threading.Thread(target=lambda: found.append(image.segment_many([{"box": BOX}])[0])) for _ in range(4)]
    for each in ask:
        each.start()
    for each in ask:
        each.join()
    assert len({mask.runs for mask in found}) == 1
