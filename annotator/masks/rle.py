"""Run-length encoded masks: encode, decode, measure, combine, and translate to COCO's and the browser's forms.

A mask is handled through its **bounds**: the flat, column-major positions (x * H + y, as in COCO) at which it changes
value: start of a run of ones, its end, start of the next, ... A position that occurs twice is no change at all, so the
XOR of two masks is "concatenate and keep what occurs an odd number of times". With that, combining masks and turning
columns into rows cost time in proportion to the outline of a mask, not to its pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from annotator.errors import InvalidMask, TooIntricate
from annotator.types import RLE, BoolArray, CroppedRuns

IntArray = npt.NDArray[np.int64]

MAX_PIXELS = 2**32 - 1
"""Most pixels a mask may have, so that every run fits COCO's uint32."""

MAX_TRANSPOSED = 2**24
"""Most changes a transposed mask may have: a short list of row runs can stand for one change in every pixel."""

MAX_ROW_RUNS = 4_000_000
"""Most row-major runs of a mask that is kept, so that a browser can take it and send it back."""

MAX_CHARACTERS = 2**24
"""Longest `counts` string. 4,000,000 runs that sum to `MAX_PIXELS` take less."""

_GROUPS = 7
"""Five-bit groups that hold any difference of two uint32 runs, sign included."""


def encode(mask: BoolArray) -> RLE:
    """The runs of a bool [H, W] mask with H, W >= 1. Raises `InvalidMask` for any other shape."""
    if mask.ndim != 2:
        raise InvalidMask(f"A mask has two dimensions, not {mask.ndim}.")
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return empty(height, width)
    band = mask[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(band.any(axis=0))
    return encode_at(band[:, columns[0] : columns[-1] + 1], int(columns[0]), int(rows[0]), height, width)


def encode_at(crop: BoolArray, x: int, y: int, height: int, width: int) -> RLE:
    """The runs of a [height, width] mask of zeros into which `crop`, bool [h, w], is put with its corner at (x, y)."""
    h, w = crop.shape
    _check_size(height, width)
    _check_box(x, y, w, h, height, width)
    changes = np.zeros((h + 1, w), dtype=np.bool_)
    changes[:h] = crop
    changes[1:] ^= crop
    flat = np.flatnonzero(changes)
    row = flat // max(w, 1)
    return _from_bounds(_ordered(x + flat - row * w, y + row, height), height, width)


def decode(mask: RLE) -> BoolArray:
    """The bool [H, W] pixels, C-contiguous, of a valid mask."""
    pixels = np.zeros((mask.height, mask.width), dtype=np.bool_)
    crop, x, y = decode_crop(mask)
    pixels[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return pixels


def decode_crop(mask: RLE) -> tuple[BoolArray, int, int]:
    """The pixels of the tight box, bool [h, w], and the x, y of its top left pixel; [0, 0] at 0, 0 if empty."""
    x, y, w, h = bbox(mask)
    runs = np.diff(bounds(mask) - x * mask.height, prepend=0, append=w * mask.height)
    columns = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(w, mask.height)
    return np.ascontiguousarray(columns[:, y : y + h].T), x, y


def bounds(mask: RLE) -> IntArray:
    """Where the mask changes: start, end, start, end, ..., int64, strictly increasing, an even number of them."""
    return np.cumsum(mask.counts, dtype=np.int64)[: mask.counts.size // 2 * 2]


def area(mask: RLE) -> int:
    """Number of pixels in the mask."""
    return int(mask.counts[1::2].sum(dtype=np.int64))


def bbox(mask: RLE) -> tuple[int, int, int, int]:
    """Tight x, y, w, h in pixels; all zero for an empty mask."""
    starts, ends = bounds(mask).reshape(-1, 2).T
    if starts.size == 0:
        return 0, 0, 0, 0
    first, last = starts // mask.height, (ends - 1) // mask.height
    if np.any(first != last):  # a run that goes on in the next column touches the bottom and the top
        top, bottom = 0, mask.height
    else:
        top, bottom = int((starts - first * mask.height).min()), int((ends - first * mask.height).max())
    x = int(first[0])
    return x, top, int(last[-1]) + 1 - x, bottom - top


def intersection(a: RLE, b: RLE) -> RLE:
    """The pixels in both masks. Raises `InvalidMask` unless they have the same size, as the next three do."""
    return _combine(a, b, np.logical_and)


def union(first: RLE, *others: RLE) -> RLE:
    """The pixels in any of the masks, in one pass over all their bounds."""
    for each in others:
        _check_same_size(first, each)
    places = np.concatenate([bounds(each) for each in (first, *others)])
    order = np.argsort(places, kind="stable")
    places, is_covered = places[order], np.cumsum(1 - order % 2 * 2) > 0
    is_last = np.diff(places, append=-1) != 0  # of those at one position
    places, is_covered = places[is_last], is_covered[is_last]
    return _from_bounds(places[is_covered != np.concatenate(([False], is_covered[:-1]))], first.height, first.width)


def difference(a: RLE, b: RLE) -> RLE:
    """The pixels in `a` that are not in `b`."""
    return _combine(a, b, np.greater)


def iou(a: RLE, b: RLE) -> float:
    """Intersection over union in [0, 1]; 0 if both are empty."""
    common = area(intersection(a, b))
    return common / max(area(a) + area(b) - common, 1)


def _combine(a: RLE, b: RLE, keep: Callable[[BoolArray, BoolArray], BoolArray]) -> RLE:
    _check_same_size(a, b)
    of_a, of_b = bounds(a), bounds(b)
    positions = np.sort(np.concatenate((of_a, of_b)), kind="stable")
    in_a, in_b = (np.searchsorted(of, positions, side="right") % 2 == 1 for of in (of_a, of_b))
    inside = keep(in_a, in_b)
    return _from_bounds(positions[inside != np.concatenate(([False], inside[:-1]))], a.height, a.width)


def _check_same_size(a: RLE, b: RLE) -> None:
    if (a.height, a.width) != (b.height, b.width):
        raise InvalidMask(f"The masks differ in size: {a.width} x {a.height} and {b.width} x {b.height}.")


def empty(height: int, width: int) -> RLE:
    """The mask without pixels."""
    _check_size(height, width)
    return RLE(height, width, np.array([height * width], dtype=np.uint32))


def from_counts(counts: npt.ArrayLike, height: int, width: int) -> RLE:
    """The mask with these column-major runs, zeros first; runs of length 0 are merged away.

    Raises `InvalidMask` unless they are non-negative whole numbers that sum to `height * width`.
    """
    _check_size(height, width)
    runs = _runs(counts, height * width)
    if runs[1:].all():
        return RLE(height, width, runs.astype(np.uint32))
    return from_flips(np.cumsum(runs)[: runs.size // 2 * 2], height, width)


def from_flips(positions: IntArray, height: int, width: int) -> RLE:
    """The mask that changes value at each of these flat positions (0..H * W), given in any order, even in number.

    A position given twice is no change, so the outlines of several shapes add up by the even-odd rule.
    """
    _check_size(height, width)
    return _from_bounds(_odd(positions), height, width)


def validate(mask: RLE) -> None:
    """Raises `InvalidMask` unless the counts are uint32, sum to H * W and hold no run of length 0 but the first."""
    if mask.counts.dtype != np.uint32:
        raise InvalidMask(f"The runs of a mask are uint32, not {mask.counts.dtype}.")
    if from_counts(mask.counts, mask.height, mask.width) != mask:
        raise InvalidMask("The mask has runs of length 0.")


def check_intricacy(mask: RLE) -> None:
    """Raises `TooIntricate` if a valid mask has more than `MAX_ROW_RUNS` runs, column-major or row-major."""
    x, _, w, h = bbox(mask)
    if mask.counts.size > MAX_ROW_RUNS:
        raise TooIntricate("The mask is too intricate: it has too many runs.")
    if w * h >= MAX_ROW_RUNS and len(_transpose(bounds(mask) - x * mask.height, mask.height)[0]) >= MAX_ROW_RUNS:
        raise TooIntricate("The mask is too intricate: its rows have too many runs.")


def to_dict(mask: RLE) -> dict[str, Any]:
    """COCO's compressed form: {"size": [H, W], "counts": str}."""
    return {"size": [mask.height, mask.width], "counts": to_coco_string(mask)}


# From the fourth run on, the difference to the run two places before is stored; each number as little-endian groups of
# five bits, 0x20 marking that more follow and 0x10 of the last one giving the sign, plus 48 (cocoapi, maskApi.c).


def to_coco_string(mask: RLE) -> str:
    """The `counts` string of COCO's compressed RLE, the same as pycocotools writes."""
    numbers = mask.counts.astype(np.int64)
    numbers[3:] -= mask.counts[1:-2]
    magnitude = np.where(numbers < 0, ~numbers, numbers)
    lengths = 1 + np.searchsorted(2 ** (5 * np.arange(1, _GROUPS) - 1), magnitude, side="right")
    place = np.arange(lengths.max())
    groups = numbers[:, None] >> 5 * place & 0x1F
    groups |= np.where(place < lengths[:, None] - 1, 0x20, 0)
    characters: npt.NDArray[np.uint8] = (groups[place < lengths[:, None]] + 48).astype(np.uint8)
    return characters.tobytes().decode()


def from_coco_string(counts: str, height: int, width: int) -> RLE:
    """The mask of a `counts` string. Raises `InvalidMask` for anything that is not one of `height` x `width` pixels."""
    _check_size(height, width)
    if not counts or not counts.isascii():
        raise InvalidMask("The counts of a mask are a non-empty ASCII string.")
    if len(counts) > min(MAX_CHARACTERS, _GROUPS * (height * width + 1)):
        raise TooIntricate(f"The mask is too intricate: its counts have {len(counts):,} characters.")
    groups = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    last = np.flatnonzero(groups & 0x20 == 0)
    if groups.min() < 0 or groups.max() > 0x3F or last.size == 0 or last[-1] != groups.size - 1:
        raise InvalidMask("The counts of a mask hold a character that does not belong there, or are cut short.")
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if lengths.max() > _GROUPS:
        raise InvalidMask("The counts of a mask hold a number that is too long.")
    place = np.arange(groups.size) - np.repeat(first, lengths)
    numbers = np.add.reduceat((groups & 0x1F) << 5 * place, first)
    numbers -= (groups[last] & 0x10) >> 4 << 5 * lengths
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return from_counts(numbers, height, width)


def to_cropped(mask: RLE) -> CroppedRuns:
    """Row-major runs over the tight box, without decoding. Raises `TooIntricate` if they exceed `MAX_TRANSPOSED`."""
    x, y, w, h = bbox(mask)
    row, column = _transpose(bounds(mask) - x * mask.height, mask.height)
    return CroppedRuns(x, y, w, h, _to_runs(_ordered(row - y, column, w), w * h).tolist())


def from_cropped(cropped: CroppedRuns, height: int, width: int) -> RLE:
    """The [height, width] mask of row-major runs over a box, which need not be tight.

    Raises `InvalidMask` if the box leaves the image or the runs do not sum to its area, `TooIntricate` if there are
    more than `MAX_TRANSPOSED` column runs.
    """
    x, y, w, h, runs = cropped
    _check_size(height, width)
    _check_box(x, y, w, h, height, width)
    lengths = _runs(runs, w * h)
    column, row = _transpose(_odd(np.cumsum(lengths)[: lengths.size // 2 * 2]), w)
    return _from_bounds(_ordered(x + column, y + row, height), height, width)


def _transpose(along: IntArray, length: int) -> tuple[IntArray, IntArray]:
    """From bounds along lines of `length` pixels, the changes seen when walking across the lines.

    Returns position in the line (0..length-1) and line (0..), int64 [n] each, by line: there, the pixel differs
    from the same pixel of the line before, lines outside counting as zeros.
    """
    edges = _edges_inside(along, length)
    cut = np.sort(np.concatenate((along, edges, edges)), kind="stable")  # no run leaves its line now
    stride = length + 1  # room for an end at the end of its line
    own = cut + np.repeat(cut[::2] // max(length, 1), 2)
    first, stop = _odd(np.concatenate((own, own + stride))).reshape(-1, 2).T  # each line XOR the line before
    sizes = stop - first
    total = int(sizes.sum())
    if total > MAX_TRANSPOSED:
        raise TooIntricate("The mask is too intricate: it has too many runs.")
    flat = np.arange(total) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    crossing = flat // stride
    return flat - crossing * stride, crossing


def _edges_inside(along: IntArray, length: int) -> IntArray:
    """The ends of lines inside of runs, int64 [n] increasing. Raises `TooIntricate` if there are too many."""
    starts, stops = along.reshape(-1, 2).T
    first = starts // max(length, 1)
    crossed = (stops - 1) // max(length, 1) - first
    total = int(crossed.sum())
    if total > MAX_TRANSPOSED:
        raise TooIntricate("The mask is too intricate: it has too many runs.")
    line: IntArray = np.arange(1, total + 1) + np.repeat(first - (np.cumsum(crossed) - crossed), crossed)
    return line * length


def _odd(positions: IntArray) -> IntArray:
    """The positions that occur an odd number of times, sorted."""
    ordered = np.sort(positions, kind="stable")  # in linear time when made of few sorted pieces
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: ordered.size])
    odd: BoolArray = np.diff(last, prepend=-1) % 2 == 1
    return ordered[last[odd]]


def _ordered(line: IntArray, place: IntArray, length: int) -> IntArray:
    """Bounds along lines of `length` from changes (line, place) that are sorted by place, as a radix sort by line."""
    order = np.argsort(line.astype(np.min_scalar_type(int(line.max(initial=0)))), kind="stable")
    return _odd((line * length + place)[order])


def _to_runs(along: IntArray, size: int) -> IntArray:
    """Alternating runs, zeros first, that sum to `size`; none for size 0."""
    runs: IntArray = np.diff(along, prepend=0, append=size)
    return runs if runs[-1] else runs[:-1]


def _from_bounds(along: IntArray, height: int, width: int) -> RLE:
    return RLE(height, width, _to_runs(along, height * width).astype(np.uint32))


def _runs(values: npt.ArrayLike, size: int) -> IntArray:
    """Checked run lengths as int64. Raises `InvalidMask` unless whole, non-negative and of sum `size`."""
    if isinstance(values, list):
        if len(values) > 2 * size + 2:  # runs of length 0 between all others, and then some
            raise InvalidMask(f"The mask has {len(values):,} runs and {size:,} pixels.")
        if not set(map(type, values)) <= {int}:  # an array of texts would make each as long as the longest
            raise InvalidMask("The runs of a mask are a flat list of whole numbers.")
    runs = np.asarray(values)
    if runs.ndim != 1 or (runs.size and runs.dtype.kind not in "iu"):
        raise InvalidMask("The runs of a mask are a flat list of whole numbers.")
    if runs.size and (runs.min() < 0 or runs.max() > size):
        raise InvalidMask("A run of the mask is negative or longer than the mask.")
    total = int(runs.sum(dtype=np.int64))
    if total != size:
        raise InvalidMask(f"The runs of the mask sum to {total} pixels instead of {size}.")
    return runs.astype(np.int64)


def _check_size(height: int, width: int) -> None:
    if not (height >= 1 and width >= 1 and height * width <= MAX_PIXELS):
        raise InvalidMask(f"A mask cannot have {width} x {height} pixels.")


def _check_box(x: int, y: int, w: int, h: int, height: int, width: int) -> None:
    if min(x, y, w, h) < 0 or x + w > width or y + h > height or (w == 0) != (h == 0):
        raise InvalidMask(f"The mask's box {w} x {h} at ({x}, {y}) does not fit an image of {width} x {height} pixels.")
