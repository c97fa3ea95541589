"""PNG files of one channel: written with the same bytes each time, read from strangers at a bounded cost."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from annotator.errors import InvalidMask
from annotator.types import UInt8Array

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


def from_png(data: bytes, height: int, width: int) -> npt.NDArray[np.generic]:
    """The values [height, width] of a PNG of one channel. Raises `InvalidMask` for any other file."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size != (width, height):
                raise InvalidMask(f"It is {image.width} x {image.height} and not {width} x {height}.")
            if image.mode not in _MODES:
                raise InvalidMask("It has several channels.")
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error, Image.DecompressionBombError):
        raise InvalidMask("It is not a PNG file, or it is damaged.") from None


def rgba(pixels: UInt8Array, alpha: npt.NDArray[np.bool_]) -> UInt8Array:
    """uint8 [H, W, 4]: the pixels, uint8 [H, W, 3], where `alpha` is set; transparent black elsewhere."""
    return np.dstack((pixels * alpha[..., None], alpha * np.uint8(255))).astype(np.uint8)
