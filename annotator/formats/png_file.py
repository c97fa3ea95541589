"""PNG files: written with the same bytes each time, read from strangers at a bounded cost."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from annotator.errors import InvalidMask
from annotator.imaging.budget import MemoryBudget
from annotator.types import UInt8Array

_DAMAGES = (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error, Image.DecompressionBombError)
_DAMAGED = "It is not a PNG file, or it is damaged."
_BYTES_PER_PIXEL = 10
"""For a picture, its values, and what finds the mask in them."""

_BUDGET = MemoryBudget(1 << 30, wait_s=60.0, max_waiting=32)
_MODES = ("1", "L", "P", "I;16", "I;16B", "I")


def to_png(pixels: npt.NDArray[np.generic], palette: Sequence[int] = ()) -> bytes:
    """A PNG of bool, uint8 or uint16 [H, W], or of uint8 [H, W, 4] as RGBA.

    `palette` has red, green, blue of each value of uint8 pixels.
    """
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(list(palette))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@contextmanager
def from_png(data: bytes, height: int, width: int) -> Iterator[npt.NDArray[np.generic]]:
    """The values [height, width] of a PNG of one channel. Raises `InvalidMask` for any other file.

    While many large ones are in use, the next waits; it raises `Busy` if that takes long.
    """
    with _opened(data, height, width, _MODES) as image, _BUDGET.hold(_BYTES_PER_PIXEL * height * width):
        yield _values(image)


@contextmanager
def alpha_of(data: bytes, height: int, width: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Where a PNG of RGBA is at least half opaque, bool [height, width]. Raises as `from_png`."""
    with _opened(data, height, width, ("RGBA",)) as image, _BUDGET.hold(_BYTES_PER_PIXEL * height * width):
        yield _values(image, "A") >= 128


@contextmanager
def _opened(data: bytes, height: int, width: int, modes: Sequence[str]) -> Iterator[Image.Image]:
    """The picture, not decoded yet."""
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
    except _DAMAGES:
        raise InvalidMask(_DAMAGED) from None
    with image:
        if image.size != (width, height):
            raise InvalidMask(f"It is {image.width} x {image.height} and not {width} x {height}.")
        if image.mode not in modes:
            raise InvalidMask(f"Its pixels are {image.mode} and not {' or '.join(modes)}.")
        yield image


def _values(image: Image.Image, channel: str = "") -> npt.NDArray[Any]:
    try:
        return np.asarray(image.getchannel(channel) if channel else image)
    except _DAMAGES:
        raise InvalidMask(_DAMAGED) from None


def rgba(pixels: UInt8Array, alpha: npt.NDArray[np.bool_]) -> UInt8Array:
    """uint8 [H, W, 4]: the pixels, uint8 [H, W, 3], where `alpha` is set; transparent black elsewhere."""
    return np.dstack((pixels * alpha[..., None], alpha * np.uint8(255))).astype(np.uint8)
