"""Editing masks: each operation against the pixels."""

from __future__ import annotations

from functools import reduce

import cv2
import numpy as np
import pytest

from annotator.errors import InvalidMask
from annotator.masks import edit, rle
from annotator.types import RLE, BoolArray


def drawn(*rows: str) -> BoolArray:
    return np.array([[character == "#" for character in row] for row in rows])


def edited(mask: RLE) -> list[str]:
    return ["".join("#" if pixel else "." for pixel in row) for row in rle.decode(mask)]


RING = drawn(
    ".........",
    ".#######.",
    ".#.#...#.",
    ".###...#.",
    ".#######.",
    ".........",
)


def noise(seed: int) -> BoolArray:
    return np.random.default_rng(seed).random((40, 50)) < 0.45


def test_union_and_subtract() -> None:
    a, b = noise(0), noise(1)
    assert rle.union(rle.encode(a), rle.encode(b)) == rle.encode(a | b)
    assert rle.difference(rle.encode(a), rle.encode(b)) == rle.encode(a & ~b)
    with pytest.raises(InvalidMask):
        rle.difference(rle.encode(a), rle.empty(50, 40))


def test_fill_holes_fills_up_to_the_given_size() -> None:
    mask = rle.encode(RING)
    assert edit.fill_holes(mask, 0) == mask
    assert edited(edit.fill_holes(mask, 5))[2:4] == [".###...#.", ".###...#."]
    assert edited(edit.fill_holes(mask, 6))[2:4] == [".#######.", ".#######."]


def test_a_gap_at_the_border_of_the_image_is_no_hole() -> None:
    mask = rle.encode(drawn("#.#", "###"))
    assert edit.fill_holes(mask, 100) == mask


def test_a_hole_is_closed_by_diagonal_neighbours() -> None:
    mask = rle.encode(drawn(".#.", "#.#", ".#."))
    assert edited(edit.fill_holes(mask, 1)) == [".#.", "###", ".#."]


def test_filling_what_surrounds_another_object_keeps_the_other() -> None:
    nested = np.pad(np.ones((9, 9), bool), 3)
    nested[5:10, 5:10] = False
    nested[7, 7] = True
    assert rle.area(edit.fill_holes(rle.encode(nested), 24)) == 81
    assert edit.fill_holes(rle.encode(nested), 23) == rle.encode(nested)


def test_drop_specks_drops_up_to_the_given_size() -> None:
    mask = rle.encode(drawn("##..#", "##...", "...##"))
    assert edit.drop_specks(mask, 0) == mask
    assert edited(edit.drop_specks(mask, 1)) == ["##...", "##...", "...##"]
    assert edited(edit.drop_specks(mask, 2)) == ["##...", "##...", "....."]
    assert edit.drop_specks(mask, 4) == rle.empty(3, 5)


def test_parts_that_touch_by_a_corner_are_one() -> None:
    mask = rle.encode(drawn("#..", ".#.", "..#"))
    assert edit.drop_specks(mask, 2) == mask
    assert edit.split(mask) == [mask]


def test_split_gives_the_parts_by_size_then_place() -> None:
    parts = edit.split(rle.encode(drawn("#.#..", ".....", "..###", "#....")))
    assert [edited(part) for part in parts] == [
        [".....", ".....", "..###", "....."],
        ["#....", ".....", ".....", "....."],
        ["..#..", ".....", ".....", "....."],
        [".....", ".....", ".....", "#...."],
    ]


def test_split_loses_and_adds_nothing() -> None:
    for seed in range(5):
        mask = rle.encode(noise(seed))
        parts = edit.split(mask)
        assert sum(map(rle.area, parts)) == rle.area(mask)
        assert reduce(rle.union, parts) == mask
        areas = [rle.area(part) for part in parts]
        assert areas == sorted(areas, reverse=True)
        assert all(cv2.connectedComponents(rle.decode(part).view(np.uint8), connectivity=8)[0] == 2 for part in parts)


def test_empty_and_full_masks_stay_what_they_are() -> None:
    for mask in (rle.empty(7, 5), rle.encode(np.ones((7, 5), bool))):
        assert edit.fill_holes(mask, 100) == mask
        assert edit.drop_specks(mask, 0) == mask
        assert edit.split(mask) == ([mask] if rle.area(mask) else [])
