"""Low-resolution mask logits to full-resolution run-length encoded masks.

Official SAM 2 upsamples the whole frame bilinearly (align_corners=False) and thresholds at 0. A bilinear sample is an
average of four neighbours, so it can only exceed the threshold where one of them does: upsampling the window of the
output those cells reach gives the same mask for a fraction of the work and memory. On a GPU, where whole frames are
cheap and copies to the host are not, masks are upsampled in batches and their runs are found on the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from annotator.masks import rle as rles
from annotator.sam.transfer import to_host
from annotator.types import RLE, AnyArray, BoolArray, FloatArray

STABILITY_OFFSET = 1.0
"""Official default: stability compares the mask at logits > 1 with the mask at logits > -1."""

_DEVICE_PIXELS = 1 << 27
"""Pixels upsampled at once on a GPU: 0.5 GiB of float32."""

_FLIPS_PER_COLUMN = 16
"""Room for the places where a mask changes along a column of pixels, on average, in what is brought to the host
unasked. An outline crosses a column a few times: three masks of 1500 x 1000 pixels change in some 10,000 places, and
there is room for 72,000 (288 KiB)."""

_BAND = 2
"""Cells interpolated by one matrix product on a CPU; each has a few dozen pixels."""


class Window(NamedTuple):
    """Upsampled logits `values` float32 [w, h], column by column as COCO's RLE runs, at (x, y) of the full frame.

    Everywhere outside, the logits are at or below the threshold the window was made for.
    """

    x: int
    y: int
    values: FloatArray


def stability(logits: Tensor, offset: float = STABILITY_OFFSET) -> Tensor:
    """[..., h, w] -> [...]: area at logits > offset over area at logits > -offset; 0 where both are empty."""
    inner = (logits > offset).sum(dim=(-2, -1))
    outer = (logits > -offset).sum(dim=(-2, -1))
    return inner.float() / outer.clamp(min=1)


def masks_to_rle(logits: Tensor, height: int, width: int) -> list[RLE]:
    """Logits [K, s, s] -> K masks of `height` x `width` pixels, thresholded at 0 after upsampling in float32."""
    if logits.device.type == "cpu":
        return [window_to_rle(upsample_window(each, height, width), height, width) for each in logits.float()]
    return [rle for full in _upsampled(logits, height, width) for rle in rle_on_device(full > 0)]


def measure(logits: Tensor, height: int, width: int, offset: float = STABILITY_OFFSET) -> Tensor:
    """Logits [K, s, s] -> int64 [K, 6] on their device, without waiting for it: what K masks of `height` x `width`
    pixels, as `masks_to_rle` gives them, measure.

    Pixels above `offset`, pixels above `-offset`, and the tight box x0, y0, x1, y1, past its end, 0 if it is empty.
    """
    if logits.device.type == "cpu":
        return torch.from_numpy(_measure_windows(logits.float(), height, width, offset))
    return measure_on_device(logits, height, width, offset)


def _measure_windows(logits: Tensor, height: int, width: int, offset: float) -> npt.NDArray[np.int64]:
    """`measure`, one window after the other."""
    table = np.zeros((len(logits), 6), np.int64)
    for row, each in zip(table, logits, strict=True):
        x, y, values = upsample_window(each, height, width, threshold=-offset)
        if values.size:
            # The window lies on its side: its rows are columns of the image.
            top, left, h, w = cv2.boundingRect((values > 0).view(np.uint8))
            inner, outer = (np.count_nonzero(values > level) for level in (offset, -offset))
            row[:] = inner, outer, x + left, y + top, x + left + w, y + top + h
    return table


def measure_on_device(logits: Tensor, height: int, width: int, offset: float) -> Tensor:
    """`measure`, in whole frames."""
    parts = [torch.zeros(0, 6, dtype=torch.int64, device=logits.device)]
    for full in _upsampled(logits, height, width):
        inner, outer = ((full > level).sum(dim=(1, 2)) for level in (offset, -offset))
        mask = full > 0
        (x0, x1), (y0, y1) = (_extent(mask.any(dim=dim)) for dim in (1, 2))
        parts.append(torch.stack((inner, outer, x0, y0, x1, y1), dim=1))
    return torch.cat(parts)


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """Bool [K, n] -> the first index and one past the last, int64 [K] each, 0 and 0 where there is none."""
    index = torch.arange(1, occupied.shape[1] + 1, device=occupied.device)
    stop = (occupied * index).amax(dim=1)
    return torch.where(stop > 0, occupied.int().argmax(dim=1), 0), stop


def _upsampled(logits: Tensor, height: int, width: int) -> Iterator[Tensor]:
    """Whole frames, float32 [k, height, width], as many at once as memory should hold."""
    for part in torch.split(logits, max(1, _DEVICE_PIXELS // (height * width))) if len(logits) else ():
        yield F.interpolate(part[:, None].float(), (height, width), mode="bilinear")[:, 0]


def upsample_window(logits: Tensor, height: int, width: int, threshold: float = 0.0) -> Window:
    """The part of the upsampled `logits` [s, s] (float32, CPU) that can exceed `threshold`; empty if none can."""
    cells: FloatArray = logits.numpy()
    above: BoolArray = cells > threshold
    across, down = _interpolation(cells.shape[1], width), _interpolation(cells.shape[0], height)
    columns, rows = (axis.reach(np.flatnonzero(above.any(axis=k))) for k, axis in enumerate((across, down)))
    stretched = across.apply(np.ascontiguousarray(down.apply(cells, rows).T), columns)
    return Window(columns.start, rows.start, stretched)


class _Interpolation(NamedTuple):
    """Bilinear, along one axis, from n cells to m pixels: pixel j lies between the cells `low[j]` and `low[j] + 1`."""

    low: npt.NDArray[np.int64]  # [m], never decreasing
    weights: FloatArray  # [m, n], two of them in a row not zero, as torch computes them

    def reach(self, cells: npt.NDArray[np.int64]) -> slice:
        """The pixels between the first and the last that have one of these cells, ascending, on either side."""
        if not len(cells):
            return slice(0, 0)
        start, stop = np.searchsorted(self.low, (cells[0] - 1, cells[-1] + 1))
        return slice(int(start), int(stop))

    def apply(self, values: FloatArray, pixels: slice) -> FloatArray:
        """[n, k] -> the rows `pixels` of [m, k], a few cells at a time: nearly all weights are zero."""
        low = self.low[pixels]
        out = np.empty((len(low), values.shape[1]), np.float32)
        if len(low):
            firsts = np.arange(low[0], low[-1] + 1, _BAND)
            stops = np.searchsorted(low, firsts + _BAND)
            for first, start, stop in zip(firsts, (0, *stops), stops, strict=False):
                cells = slice(first, first + _BAND + 1)
                np.matmul(self.weights[pixels][start:stop, cells], values[cells], out=out[start:stop])
        return out


@lru_cache(maxsize=16)
def _interpolation(size_in: int, size_out: int) -> _Interpolation:
    ratio = np.float32(size_in) / np.float32(size_out)
    source = np.maximum(ratio * (np.arange(size_out, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), 0)
    low = np.minimum(source.astype(np.int64), size_in - 1)
    high = np.minimum(low + 1, size_in - 1)
    weight = source - low.astype(np.float32)
    weights = np.zeros((size_out, size_in), np.float32)
    rows = np.arange(size_out)
    weights[rows, low] = 1 - weight
    weights[rows, high] += weight
    return _Interpolation(low, weights)


def window_to_rle(window: Window, height: int, width: int, threshold: float = 0.0) -> RLE:
    """Run lengths of the full frame from a window of it."""
    mask: BoolArray = window.values > threshold
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
    flips = _flips(masks).nonzero()[:, 0].to(torch.int32)
    return _split_flips(flips.cpu().numpy(), *masks.shape)


def fetch_masks(logits: Tensor, height: int, width: int, *others: Tensor) -> tuple[list[RLE], list[AnyArray]]:
    """`masks_to_rle`, and `others` (float32 or int32) as arrays, waiting for the device once for all of it."""
    if logits.device.type == "cpu" or len(logits) * height * width > _DEVICE_PIXELS:
        return masks_to_rle(logits, height, width), [each.cpu().numpy() for each in others]
    return fetch_from_device(logits, height, width, others, len(logits) * width * _FLIPS_PER_COLUMN)


def fetch_from_device(
    logits: Tensor, height: int, width: int, others: Sequence[Tensor], capacity: int
) -> tuple[list[RLE], list[AnyArray]]:
    """`fetch_masks`, the masks as at most `capacity` flips in all; more cost one wait more."""
    (masks,) = (full > 0 for full in _upsampled(logits, height, width))
    flips = _flips(masks).nonzero_static(size=capacity, fill_value=-1)[:, 0].to(torch.int32)
    found, *rest = to_host([flips, *others])
    if found[-1] >= 0:  # full: there may be more
        return rle_on_device(masks), rest
    return _split_flips(found[: np.count_nonzero(found >= 0)], *masks.shape), rest


def _flips(masks: Tensor) -> Tensor:
    """Bool [K, H, W] -> bool [K * W * H], column by column: where a mask changes; before its first pixel it is 0."""
    flat = masks.transpose(1, 2).flatten(1)
    flips = flat.clone()
    torch.ne(flat[:, 1:], flat[:, :-1], out=flips[:, 1:])
    return flips.flatten()


def _split_flips(positions: npt.NDArray[np.int32], count: int, height: int, width: int) -> list[RLE]:
    """The places of `_flips`, ascending -> `count` RLEs."""
    size = height * width
    ends = np.searchsorted(positions, np.arange(1, count) * size)
    parts = np.split(positions.astype(np.int64), ends)
    return [
        RLE(height, width, np.diff(part - k * size, prepend=0, append=size).astype(np.uint32))
        for k, part in enumerate(parts)
    ]
