"""Outlines of masks: exact in pycocotools and in OpenCV, for every shape."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from annotator.masks import rle
from annotator.masks.outlines import Ring, center_rings, edge_rings, joined
from annotator.types import BoolArray
from tests.datasets import awkward_masks

SHAPES = awkward_masks(17, 31)


def by_pycocotools(rings: list[Ring], mask: BoolArray) -> BoolArray:
    parts = coco_mask.frPyObjects([ring.ravel().astype(float).tolist() for ring in rings], *mask.shape)
    return np.asarray(coco_mask.decode(coco_mask.merge(parts)).astype(bool))


def by_opencv(rings: list[Ring], mask: BoolArray) -> BoolArray:
    canvas = np.zeros(mask.shape, np.uint8)
    for ring in rings:
        cv2.fillPoly(canvas, [ring.astype(np.int32)], 1)
    return canvas.astype(bool)


def check(mask: BoolArray) -> None:
    found = rle.encode(mask)
    assert np.array_equal(by_pycocotools(edge_rings(found), mask), mask)
    assert np.array_equal(by_opencv(center_rings(found), mask), mask)


@pytest.mark.parametrize("mask", SHAPES, ids=range(len(SHAPES)))
def test_outlines_give_the_very_mask(mask: BoolArray) -> None:
    check(mask)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any), st.integers(1, 3))
def test_outlines_give_the_very_mask_of_any_shape(mask: BoolArray, scale: int) -> None:
    check(np.kron(mask, np.ones((scale, scale), bool)))


def test_straight_lines_have_only_their_ends() -> None:
    (ring,) = edge_rings(rle.encode_at(np.ones((20, 30), bool), 5, 6, 40, 50))
    assert sorted(ring.tolist()) == [[5, 6], [5, 26], [35, 6], [35, 26]]
    (ring,) = center_rings(rle.encode_at(np.ones((20, 30), bool), 5, 6, 40, 50))
    assert sorted(ring.tolist()) == [[5, 6], [5, 25], [34, 6], [34, 25]]


def test_an_empty_mask_has_no_outline() -> None:
    assert edge_rings(rle.empty(5, 6)) == center_rings(rle.empty(5, 6)) == []


def test_parts_are_joined_where_they_are_close() -> None:
    mask = np.zeros((20, 60), bool)
    mask[5:15, 2:20] = mask[5:15, 22:40] = mask[8:10, 44:50] = True
    rings = center_rings(rle.encode(mask))
    assert len(rings) == 3
    filled = by_opencv([joined(rings)], mask)
    assert filled[mask].all() and 0 < (filled & ~mask).sum() < 20
