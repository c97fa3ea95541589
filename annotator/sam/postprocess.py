"""Low-resolution mask logits to full-resolution run-length encoded masks.

Official SAM 2 upsamples the whole frame bilinearly (align_corners=False) and thresholds at 0. A bilinear sample is an
average of four neighbours, so it can only exceed the threshold where one of them does: upsampling the window of the
output those cells reach gives the same mask for a fraction of the work and memory. On a GPU, where whole frames are
cheap and copies to the host are not, masks are upsampled in batches and their runs are found on the device.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from annotator.masks import rle as rles
from annotator.types import RLE, BoolArray, UInt32Array

STABILITY_OFFSET = 1.0
"""Official default: stability compares the mask at logits > 1 with the mask at logits > -1."""

_DEVICE_PIXELS = 1 << 27
"""Pixels upsampled at once on a GPU: 0.5 GiB of float32."""


class Window(NamedTuple):
    """Upsampled logits `values` float32 [w, h], column by column as COCO's RLE runs, at (x, y) of the full frame.

    Everywhere outside, the logits are at or below the threshold the window was made for.
    """

    x: int
    y: int
    values: Tensor


def stability(logits: Tensor, offset: float = STABILITY_OFFSET) -> Tensor:
    """[..., h, w] -> [...]: area at logits > offset over area at logits > -offset; 0 where both are empty."""
    inner = (logits > offset).sum(dim=(-2, -1))
    outer = (logits > -offset).sum(dim=(-2, -1))
    return inner.float() / outer.clamp(min=1)


def masks_to_rle(logits: Tensor, height: int, width: int) -> list[RLE]:
    """Logits [K, s, s] -> K masks of `height` x `width` pixels, thresholded at 0 after upsampling in float32."""
    if logits.device.type == "cpu":
        return [window_to_rle(upsample_window(each, height, width), height, width) for each in logits.float()]
    chunk = max(1, _DEVICE_PIXELS // (height * width))
    rles: list[RLE] = []
    for start in range(0, len(logits), chunk):
        full = F.interpolate(logits[start : start + chunk, None].float(), (height, width), mode="bilinear")
        rles.extend(rle_on_device(full[:, 0] > 0))
    return rles


def upsample_window(logits: Tensor, height: int, width: int, threshold: float = 0.0) -> Window:
    """The part of the upsampled `logits` [s, s] (float32, CPU) that can exceed `threshold`; empty if none can."""
    above = logits > threshold
    cells_x, (x0, x1) = _reach(above.any(dim=0), width)
    cells_y, (y0, y1) = _reach(above.any(dim=1), height)
    if cells_x.start == cells_x.stop:
        return Window(0, 0, logits.new_zeros(0, 0))
    across = _interpolation(logits.shape[1], width)[x0:x1, cells_x]
    down = _interpolation(logits.shape[0], height)[y0:y1, cells_y]
    return Window(x0, y0, across @ (logits[cells_y, cells_x].T @ down.T))


def _reach(occupied: Tensor, size_out: int) -> tuple[slice, tuple[int, int]]:
    """Cells that matter along one axis, and the range of output pixels with an occupied cell as a neighbour."""
    cells = np.flatnonzero(occupied.numpy())
    size_in = len(occupied)
    if not len(cells):
        return slice(0, 0), (0, 0)
    first, last = int(cells[0]), int(cells[-1])
    # Output pixel j samples the input at (j + 0.5) * size_in / size_out - 0.5, between two cell centres.
    scale = size_out / size_in
    start = max(0, int(np.floor((first - 0.5) * scale - 0.5)))
    stop = min(size_out, int(np.ceil((last + 1.5) * scale - 0.5)) + 1)
    return slice(max(0, first - 2), min(size_in, last + 3)), (start, stop)


@lru_cache(maxsize=16)
def _interpolation(size_in: int, size_out: int) -> Tensor:
    """[size_out, size_in] float32: each row the two bilinear weights of an output pixel, as torch computes them."""
    ratio = np.float32(size_in) / np.float32(size_out)
    source = np.maximum(ratio * (np.arange(size_out, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), 0)
    low = np.minimum(source.astype(np.int64), size_in - 1)
    high = np.minimum(low + 1, size_in - 1)
    weight = source - low.astype(np.float32)
    matrix = np.zeros((size_out, size_in), np.float32)
    rows = np.arange(size_out)
    matrix[rows, low] = 1 - weight
    matrix[rows, high] += weight
    return torch.from_numpy(matrix)


def window_to_rle(window: Window, height: int, width: int, threshold: float = 0.0) -> RLE:
    """Run lengths of the full frame from a window of it."""
    mask: BoolArray = (window.values > threshold).numpy()
    columns, rows = mask.shape
    if not mask.size:
        return rles.empty(height, width)
    # Edges of the runs of each column; a run that reaches the window's border ends there. Where it goes on at the top
    # of the next column, the two edges are one position, which cancel.
    edge = np.empty((columns, rows + 1), np.bool_)
    edge[:, 0] = mask[:, 0]
    np.not_equal(mask[:, 1:], mask[:, :-1], out=edge[:, 1:-1])
    edge[:, -1] = mask[:, -1]
    column, row = np.divmod(np.flatnonzero(edge), rows + 1)
    return rles.from_flips((column + window.x) * height + row + window.y, height, width)


def rle_on_device(masks: Tensor) -> list[RLE]:
    """Bool [K, H, W] on any device -> K RLEs, with one `nonzero` and one copy to the host."""
    count, height, width = masks.shape
    flat = masks.transpose(1, 2).reshape(count, -1)
    change = torch.ones(count, height * width + 1, dtype=torch.bool, device=masks.device)
    change[:, 0] = flat[:, 0]
    torch.ne(flat[:, 1:], flat[:, :-1], out=change[:, 1:-1])
    which, position = change.nonzero(as_tuple=True)
    lengths = position.diff(prepend=position.new_zeros(1))
    starts_mask = which.diff(prepend=which.new_full((1,), -1)) > 0
    lengths = torch.where(starts_mask, position, lengths)
    packed = torch.stack((which, lengths)).to(torch.int32).cpu().numpy()
    ends = np.searchsorted(packed[0], np.arange(count), side="right")
    counts: UInt32Array = packed[1].astype(np.uint32)
    return [RLE(height, width, each.copy()) for each in np.split(counts, ends[:-1])]
