"""Holes and specks of a mask, removed where it is coarse: in the decoder's logits.

A bilinear sample is an average of four neighbours, so upsampling makes no new pieces, unless a neck thinner than a
pixel falls between two of them. On 160 x 160 cells this takes a fraction of a millisecond a mask; on the pixels of a
photo it would take longer than the answer. The host does it for every device, so the result is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from annotator.types import BoolArray, Point, Prompt

_BARELY = 1e-3
"""The logit of a filled cell that was exactly 0."""


def clean(logits: Tensor, share: float, prompts: Sequence[Prompt], height: int, width: int) -> Tensor:
    """Logits [K, s, s] without holes and specks of at most `share` (0..1) of the image, on the same device.

    `prompts[k]` is what mask k answers, on an image of `height` x `width` pixels. A mask keeps its largest piece and
    every piece with a positive click; the ground around it likewise, so a hole with a negative click stays open.
    Changed cells change their sign.
    """
    before: BoolArray = (logits > 0).cpu().numpy()
    limit = share * logits.shape[1] * logits.shape[2]
    after = np.empty_like(before)
    for k, (mask, prompt) in enumerate(zip(before, prompts, strict=True)):
        clicks = [_to_cell(each, height, width, len(mask)) for each in prompt.points]
        without_specks = mask & ~_small_pieces(mask, limit, (each for each in clicks if each.label == 1))
        holes = _small_pieces(~without_specks, limit, (each for each in clicks if each.label == 0))
        after[k] = without_specks | holes
    wanted = torch.from_numpy(after).to(logits.device)
    size = logits.abs().clamp(min=_BARELY)
    return torch.where(wanted == (logits > 0), logits, torch.where(wanted, size, -size))


def _to_cell(point: Point, height: int, width: int, side: int) -> Point:
    """A click on the image, as the column and the row of a cell of its mask [side, side]."""
    last = side - 1
    column, row = int(point.x * side / width), int(point.y * side / height)
    return Point(min(max(column, 0), last), min(max(row, 0), last), point.label)


def _small_pieces(region: BoolArray, limit: float, kept: Iterable[Point]) -> BoolArray:
    """The pieces of a region [s, s] of at most `limit` cells, except the largest and those that hold a `kept` cell."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.view(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    small = areas <= limit
    small[0] = False  # label 0 is all that is not in the region
    if count > 1:
        small[1 + int(areas[1:].argmax())] = False
    for column, row, _ in kept:
        small[labels[int(row), int(column)]] = False
    found: BoolArray = small[labels]
    return found
