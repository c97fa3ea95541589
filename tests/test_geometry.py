"""Boxes, points and polygons against brute force and pycocotools."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco_mask

from annotator.errors import InvalidMask
from annotator.masks import edit, geometry, rle
from annotator.types import FloatArray


def random_boxes(count: int, seed: int) -> FloatArray:
    corners = np.random.default_rng(seed).uniform(0, 100, (count, 2, 2))
    return np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1).astype(np.float32)


def test_box_iou_by_hand() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6], [4, 4, 4, 4]], np.float32)
    overlap = geometry.box_iou(boxes, boxes[:2])
    assert overlap.dtype == np.float32
    assert overlap == pytest.approx(np.array([[1, 1 / 7], [1 / 7, 1], [0, 0], [0, 0]]))


def test_box_iou_as_pycocotools() -> None:
    a, b = random_boxes(40, 0), random_boxes(30, 1)

    def xywh(boxes: FloatArray) -> npt.NDArray[np.float64]:
        return np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1).astype(np.float64)

    assert geometry.box_iou(a, b) == pytest.approx(coco_mask.iou(xywh(a), xywh(b), [0] * 30), abs=1e-5)


def test_coverage_is_the_share_of_a_mask_in_each_cell() -> None:
    pixels = np.zeros((40, 60), np.bool_)
    pixels[5:25, 12:18] = True
    counted = pixels.reshape(4, 10, 4, 15).sum(axis=(1, 3)) / pixels.sum()
    assert geometry.coverage(rle.encode(pixels), 4) == pytest.approx(counted)
    large = np.ones((2000, 1000), np.bool_)
    assert geometry.coverage(rle.encode(large), 4) == pytest.approx(np.full((4, 4), 1 / 16), rel=0.1)
    assert not geometry.coverage(rle.empty(40, 60), 4).any()


def test_nms_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [1, 0, 11, 10], [20, 1, 30, 11]], np.float32)
    scores = np.array([0.5, 0.9, 0.8, 0.1], np.float32)
    assert geometry.nms(boxes, scores, 0.7).tolist() == [1, 2]


def test_nms_suppresses_only_above_the_threshold() -> None:
    boxes = np.array([[0, 0, 4, 1], [0, 0, 2, 1]], np.float32)  # IoU is exactly 0.5
    scores = np.array([1, 0.5], np.float32)
    assert geometry.nms(boxes, scores, 0.5).tolist() == [0, 1]
    assert geometry.nms(boxes, scores, 0.49).tolist() == [0]


def test_nms_is_stable_for_equal_scores_and_takes_no_boxes() -> None:
    boxes = random_boxes(30, 2)
    assert geometry.nms(boxes, np.ones(30, np.float32), 1.0).tolist() == list(range(30))
    assert geometry.nms(boxes[:0], np.ones(0, np.float32), 0.5).tolist() == []


def test_nms_equals_the_definition() -> None:
    boxes, scores = random_boxes(300, 3), np.random.default_rng(3).random(300).astype(np.float32)
    kept: list[int] = []
    for index in np.argsort(-scores):
        if not kept or (geometry.box_iou(boxes[[index]], boxes[kept]) <= 0.3).all():
            kept.append(int(index))
    assert geometry.nms(boxes, scores, 0.3).tolist() == kept


def test_contains_equals_the_pixels() -> None:
    mask = np.random.default_rng(4).random((9, 13)) < 0.5
    encoded = rle.encode(mask)
    for y, x in np.ndindex(mask.shape):
        assert geometry.contains(encoded, x, y) == mask[y, x] == geometry.contains(encoded, x + 0.99, y + 0.99)
    for x, y in [(-0.1, 0), (0, -1), (13, 0), (0, 9), (float("nan"), 0), (float("inf"), 0)]:
        assert not geometry.contains(encoded, x, y)


def test_farthest_point_is_the_middle() -> None:
    region = np.zeros((30, 40), bool)
    region[5:16, 20:31] = True
    assert geometry.farthest_point(region) == (25, 10)


def test_farthest_point_counts_the_edge_of_the_image_as_border() -> None:
    assert geometry.farthest_point(np.ones((5, 9), bool)) in {(2, 2), (3, 2), (4, 2), (5, 2), (6, 2)}
    region = np.zeros((4, 4), bool)
    region[3, 3] = True
    assert geometry.farthest_point(region) == (3, 3)


def test_an_empty_region_has_no_farthest_point() -> None:
    assert geometry.farthest_point(np.zeros((5, 5), bool)) is None


def polygons(count: int) -> list[tuple[int, int, list[float]]]:
    """Heights, widths and polygons: self-crossing, outside the image, whole and half numbers, repeated points."""
    rng = np.random.default_rng(5)
    cases = []
    for index in range(count):
        height, width = (int(side) for side in rng.integers(1, 60, 2))
        points = rng.uniform(-20, 80, (rng.integers(3, 12), 2))
        if index % 3:
            points = np.round(points * (index % 3)) / (index % 3)
        if index % 2:
            points = np.concatenate((points, points[-1:], points[:1]))
        cases.append((height, width, points.ravel().tolist()))
    return cases


def test_polygons_as_pycocotools() -> None:
    for height, width, polygon in polygons(600):
        expected = coco_mask.frPyObjects([polygon], height, width)[0]["counts"].decode()
        assert rle.to_coco_string(geometry.fill_polygon(polygon, height, width)) == expected


@pytest.mark.parametrize(
    "polygon",
    [
        [],
        [1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6, 7],
        [1, 2, 3, 4, 5, "x"],
        [1, 2, 3, 4, 5, float("nan")],
        [[1, 2], [3, 4], [5, 6]],
        [0, 0, 1e30, 0, 0, 1e30],
        [0, 0, 1e6, 1e6, 0, 1e6, 1e6, 0],
        [10**400] * 6,
        [None] * 6,
        None,
        "polygon",
    ],
)
def test_hostile_polygons_are_refused(polygon: object) -> None:
    with pytest.raises(InvalidMask):
        geometry.fill_polygon(polygon, 10, 10)  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_turned_as_the_mask_in_it(orientation: int) -> None:
    stored = rle.encode_at(np.ones((3, 5), np.bool_), 7, 2, 20, 30)
    upright = edit.turn_upright(stored, orientation)
    x, y, w, h = rle.bbox(upright)
    box = geometry.turn_box_upright((7, 2, 12, 5), orientation, upright.height, upright.width)
    assert box == (x, y, x + w, y + h)
