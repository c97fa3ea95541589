"""Values of any range to 8 bits: pictures of 16 bits, floats and measurements become visible.

The range from the 0.5th to the 99.5th percentile is spread over 0 to 255, as MedSAM prepares such images: single hot
pixels do not matter. All bands are treated alike, so colours keep their tint.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from annotator.imaging.tiff import Rows, Values

_LOW, _HIGH = 0.5, 99.5
_SAMPLE = 1_000_000
_HUGE = 1e30
"""Larger floats are no measurements: programs write the largest float where they have none."""
_PHOTO = 1 << 14
_FILL_SHARE = 1e-3
_LEVELS = 16
_BLOCK = 1 << 16


class Stretch(NamedTuple):
    """The values that become 0 and 255. Where the picture has `nodata` it is black."""

    low: float
    high: float
    nodata: float | None = None
    inverted: bool = False
    stretched: bool = True

    def apply(self, values: Values) -> npt.NDArray[np.uint8]:
        """Values of any shape and type to uint8."""
        numbers = values.astype(np.float64)
        missing = _missing(numbers, self.nodata)
        numbers[missing] = self.low
        scale = 255.0 / (self.high - self.low) if self.high > self.low else 0.0
        scaled = np.rint((np.clip(numbers, self.low, self.high) - self.low) * scale).astype(np.uint8)
        if self.inverted:
            scaled = 255 - scaled
        scaled[missing] = 0
        return scaled


def fit(rows: Rows, width: int, height: int, nodata: float | None, inverted: bool = False) -> Stretch:
    """Choose the range from a regular sample of at most about a million pixels.

    8 bits stay as they are, and so do 16-bit colours that use their range: those are photos.
    """
    first = rows(0, 1)
    if first.dtype == np.uint8:
        return Stretch(0.0, 255.0, None, inverted, stretched=False)
    step = max(1, int(np.ceil(np.sqrt(width * height / _SAMPLE))))
    block = max(1, _BLOCK // width)  # rows at once, or thin pictures would take a call for each
    blocks = (rows(y, min(y + block, height)) for y in range(0, height, block * step))
    parts = [each[:, ::step].astype(np.float64).ravel() for each in blocks]
    sample = np.concatenate(parts)
    values = np.sort(sample[~_missing(sample, nodata)])
    values = _without_fill(_without_fill(values)[::-1] * -1)[::-1] * -1
    if not len(values):
        return Stretch(0.0, 0.0, nodata, inverted)  # nothing was measured: all is black
    low, high = (float(each) for each in np.percentile(values, (_LOW, _HIGH)))
    if not high > low:  # nearly all of one value: show what differs
        low, high = float(values[0]), float(values[-1])
    if first.dtype.newbyteorder("=") == np.uint16 and first.ndim == 3 and high >= _PHOTO:
        return Stretch(0.0, 65535.0, nodata, inverted, stretched=False)
    return Stretch(low, high, nodata, inverted)


def _missing(numbers: npt.NDArray[np.float64], nodata: float | None) -> npt.NDArray[np.bool_]:
    """NaN, what is too large to be measured, and `nodata` (compared as float32, for its tag is decimal text)."""
    with np.errstate(invalid="ignore", over="ignore"):
        missing = ~(np.abs(numbers) < _HUGE)
        if nodata is not None:
            missing |= numbers.astype(np.float32) == np.float32(nodata)
    return missing


def _without_fill(ascending: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Leave out a lowest value that stands for 'nothing', such as -9999 without a tag that says so.

    It is left out if it is frequent, if its distance to the next value is larger than the range of the others, and if
    the others have more than a few values: fewer may be a map of classes.
    """
    while len(ascending):
        count = int(np.searchsorted(ascending, ascending[0], side="right"))
        rest = ascending[count:]
        if count < max(2, len(ascending) * _FILL_SHARE) or np.count_nonzero(np.diff(rest)) < _LEVELS:
            break
        low, high = np.percentile(rest, (_LOW, _HIGH))
        if not rest[0] - ascending[0] > high - low > 0:
            break
        ascending = rest
    return ascending
