"""Specks and holes go, what was clicked stays, and hardly anything small is left after upsampling."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.cleaning import clean
from annotator.sam.postprocess import masks_to_rle
from annotator.types import RLE, Point, Prompt

SIDE = 32
SHARE = 0.01  # of 32 x 32 cells: up to 10
NONE = Prompt(box=(0, 0, 1, 1))


def logits_of(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.where(mask, 3.0, -2.0).astype(np.float32))[None]


@pytest.fixture
def mask() -> np.ndarray:
    """A square with a hole of 4 cells, a speck of 4 cells, and a piece of 12."""
    out = np.zeros((SIDE, SIDE), bool)
    out[4:16, 4:16] = True
    out[8:10, 8:10] = False
    out[20:22, 4:6] = True
    out[24:28, 24:27] = True
    return out


def test_holes_and_specks_go_and_larger_pieces_stay(mask: np.ndarray) -> None:
    wanted = mask.copy()
    wanted[8:10, 8:10] = True
    wanted[20:22, 4:6] = False
    cleaned = clean(logits_of(mask), SHARE, [NONE], SIDE, SIDE)[0]
    assert np.array_equal(cleaned.numpy() > 0, wanted)
    assert torch.equal(cleaned.abs(), logits_of(mask)[0].abs()), "only signs change"


@pytest.mark.parametrize(
    ("x", "y", "label", "kept"),
    [(4.5, 20.5, 1, True), (4.5, 20.5, 0, False), (8.5, 8.5, 0, False), (8.5, 8.5, 1, True)],
    ids=["speck, positive", "speck, negative", "hole, negative", "hole, positive"],
)
def test_the_clicked_piece_stays_as_it_was_if_the_click_means_it(
    mask: np.ndarray, x: float, y: float, label: int, kept: bool
) -> None:
    """`kept`: whether the cell belongs to the cleaned mask. The photo is ten times as wide and five times as high."""
    prompt = Prompt((Point(x * 10, y * 5, label),))
    cleaned = clean(logits_of(mask), SHARE, [prompt], SIDE * 5, SIDE * 10)[0]
    assert bool(cleaned[int(y), int(x)] > 0) == kept


def test_the_largest_piece_stays_however_small_it_is() -> None:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[3, 3:6] = mask[9, 9] = True
    cleaned = clean(logits_of(mask), SHARE, [NONE], SIDE, SIDE)[0].numpy() > 0
    assert cleaned.sum() == 3 and cleaned[3, 4]


@pytest.mark.parametrize("mask", [np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)], ids=["empty", "full"])
def test_an_empty_and_a_full_mask_are_left_alone(mask: np.ndarray) -> None:
    assert torch.equal(clean(logits_of(mask), SHARE, [NONE], SIDE, SIDE), logits_of(mask))


def test_a_hole_of_zeros_is_filled(mask: np.ndarray) -> None:
    logits = logits_of(mask)
    logits[0, 8:10, 8:10] = 0
    assert (clean(logits, SHARE, [NONE], SIDE, SIDE)[0, 8:10, 8:10] > 0).all()


def test_no_masks_are_no_masks() -> None:
    assert clean(torch.zeros(0, SIDE, SIDE), SHARE, [], SIDE, SIDE).shape == (0, SIDE, SIDE)


def test_hardly_anything_small_is_left_in_the_pixels_of_a_photo() -> None:
    """Ragged masks of noise. A neck thinner than a pixel may still cut a piece off."""
    coarse = torch.randn(8, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    fine = torch.randn(8, 64, 64, generator=torch.Generator().manual_seed(2))
    logits = F.interpolate(coarse, (64, 64), mode="bicubic")[:, 0] + 0.5 * fine
    cleaned = clean(logits, 0.005, [NONE] * 8, 300, 450)
    before, after = (sum(map(small_pieces, masks_to_rle(each, 300, 450))) for each in (logits, cleaned))
    assert before > 500
    assert after < before / 50


def small_pieces(mask: RLE) -> int:
    """How many pieces of the mask, and of what is around it, have less than 0.25 % of the image."""
    grid = rles.decode(mask)
    areas = [cv2.connectedComponentsWithStats(each.view(np.uint8))[2][1:, cv2.CC_STAT_AREA] for each in (grid, ~grid)]
    return sum(int((each < 0.0025 * grid.size).sum()) for each in areas)


def test_only_the_bundled_model_is_cleaned() -> None:
    assert {name for name, spec in zoo.MODELS.items() if spec.speck_share} == {"nano"}
