"""The masks of labelme's shapes: the pixels that its `shape_to_mask` makes of them."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from annotator.errors import InvalidMask
from annotator.formats.png_file import from_png
from annotator.formats.problems import printable
from annotator.masks import rle
from annotator.types import RLE

_POINTS = {"rectangle": 2, "circle": 2, "mask": 2, "oriented_rectangle": 4}
_MAX_POINTS = 1 << 20


def read_shape(shape: Mapping[str, Any], height: int, width: int) -> RLE:
    """The mask of a shape that has an area. Raises `InvalidMask`."""
    kind = shape.get("shape_type") or "polygon"
    if not isinstance(kind, str) or (kind != "polygon" and kind not in _POINTS):
        raise InvalidMask(f"Shapes of the type {printable(kind, 40)} have no area.")
    points = _points(shape.get("points"), height, width)
    if len(points) < 3 if kind == "polygon" else len(points) != _POINTS[kind]:
        raise InvalidMask(f"It is a {kind} of {len(points)} points.")
    if kind == "mask":
        return _stored(shape.get("mask"), points, height, width)
    if kind == "circle":
        radius = math.dist(points[0], points[1])
        points = np.array([points[0] - radius, points[0] + radius])
    if kind in ("circle", "rectangle"):
        points = np.array([points.min(axis=0), points.max(axis=0)])
    return _drawn(kind, points, height, width)


def _points(value: object, height: int, width: int) -> npt.NDArray[np.float64]:
    """The points as x and y, float64 [K, 2]."""
    try:
        points = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) > _MAX_POINTS or not np.isfinite(points).all():
        raise InvalidMask("Its points are not a list of pairs of numbers.")
    if np.abs(points).max() > 4 * max(height, width) + 1000:
        raise InvalidMask("Its points lie far outside the image.")
    return points


def _drawn(kind: str, points: npt.NDArray[np.float64], height: int, width: int) -> RLE:
    """The shape as Pillow draws it, with its outline, on the part of the image that it covers."""
    x, y = (int(least) for least in np.floor(points.min(axis=0)).clip(0, (width, height)))
    right, bottom = (int(most) for most in (np.ceil(points.max(axis=0)) + 1).clip(0, (width, height)))
    if right <= x or bottom <= y:
        return rle.empty(height, width)
    canvas = Image.new("L", (right - x, bottom - y))
    draw = ImageDraw.Draw(canvas)
    corners = [(float(column), float(row)) for column, row in points - (x, y)]
    if kind == "circle":
        draw.ellipse(corners, outline=1, fill=1)
    elif kind == "rectangle":
        draw.rectangle(corners, outline=1, fill=1)
    else:
        draw.polygon(corners, outline=1, fill=1)
    return rle.encode_at(np.asarray(canvas) > 0, x, y, height, width)


def _stored(text: object, points: npt.NDArray[np.float64], height: int, width: int) -> RLE:
    """A mask that is stored as a PNG of its box, of which the points are the first and the last pixel."""
    (x, y), (right, bottom) = points.round().astype(int).tolist()
    if not isinstance(text, str) or right < x or bottom < y:
        raise InvalidMask("Its mask is missing.")
    try:
        data = base64.b64decode(text)
    except (binascii.Error, ValueError, struct.error):
        raise InvalidMask("Its mask is not a PNG file in base64.") from None
    with from_png(data, bottom - y + 1, right - x + 1) as pixels:
        return rle.encode_at(np.asarray(pixels != 0), x, y, height, width)
