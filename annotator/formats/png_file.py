"""PNG files: written with the same bytes each time, read from strangers at a bounded cost."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

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
    return _read(data, height, width, _MODES)


def alpha_of(data: bytes, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Where a PNG of RGBA is at least half opaque, bool [height, width]. Raises `InvalidMask` for any other file."""
    return np.asarray(_read(data, height, width, ("RGBA",))[..., 3] >= 128)


def _read(data: bytes, height: int, width: int, modes: Sequence[str]) -> npt.NDArray[Any]:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.size != (width, height):
                raise InvalidMask(f"It is {image.width} x {image.height} and not {width} x {height}.")
            if image.mode not in modes:
                raise InvalidMask(f"Its pixels are {image.mode} and not {' or '.join(modes)}.")
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error, Image.DecompressionBombError):
        raise InvalidMask("It is not a PNG file, or it is damaged.") from None


def rgba(pixels: UInt8Array, alpha: npt.NDArray[np.bool_]) -> UInt8Array:
    """uint8 [H, W, 4]: the pixels, uint8 [H, W, 3], where `alpha` is set; transparent black elsewhere."""
    return np.dstack((pixels * alpha[..., None], alpha * np.uint8(255))).astype(np.uint8)
