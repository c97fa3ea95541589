"""Pictures that a program has in memory already, as upright RGB pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from annotator.errors import InvalidImage
from annotator.imaging.decode import one_sentence
from annotator.imaging.sources import to_rgb
from annotator.types import AnyArray, UInt8Array

_DEEP_MODES = ("I", "F")
_LAYERS = {1: "L", 3: "RGB", 4: "RGBA"}


def from_pillow(image: Image.Image) -> UInt8Array:
    """uint8 [H, W, 3], turned by the EXIF orientation, on white where it is transparent. Raises InvalidImage."""
    if image.mode.startswith(_DEEP_MODES):
        raise InvalidImage(f"The Pillow image has the mode {image.mode}: convert it to RGB first.")
    with one_sentence("The Pillow image"):
        return np.array(to_rgb(ImageOps.exif_transpose(image)))


def from_array(array: AnyArray) -> UInt8Array:
    """uint8 [H, W, 3] of uint8 [H, W, 3] RGB, [H, W, 4] RGBA, [H, W, 1] or [H, W] grey. Raises InvalidImage."""
    pixels = np.asarray(array)
    layered = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8 or layered.ndim != 3 or layered.shape[2] not in _LAYERS or not layered.size:
        given = f"{pixels.dtype} {list(pixels.shape)}"
        raise InvalidImage(f"An image is an array of uint8 [height, width, 3], RGB, not {given}.")
    if layered.shape[2] == 3:
        return np.array(layered)  # a copy: the caller may change its own
    mode = _LAYERS[layered.shape[2]]
    flat = layered[..., 0] if mode == "L" else layered
    return np.array(to_rgb(Image.fromarray(np.ascontiguousarray(flat))))
