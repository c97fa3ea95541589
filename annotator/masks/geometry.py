"""Boxes, points and polygons: overlap, non-maximum suppression, hit tests and rasterising, without torch."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from annotator.errors import InvalidMask
from annotator.masks import rle
from annotator.types import RLE, BoolArray, Box, FloatArray

MAX_OUTLINE = 2**22
"""Most steps of a fifth of a pixel in the outline of one polygon."""

_MAX_FRAMES, _MAX_OUTSIDE = 4, 1000
"""Points lie within so many sides of the image, plus so many pixels; else a tiny file would cost minutes."""

_SAMPLED = 1 << 14
"""Pixels of a mask whose places on a coarse grid say enough."""

_SCALE = 5
"""Steps per pixel with which pycocotools walks along a polygon."""


def box_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Intersection over union, float32 [N, M], of boxes x0, y0, x1, y1, float32 [N, 4] and [M, 4]; 0 for empty boxes.

    Areas are (x1 - x0) * (y1 - y0), without + 1.
    """
    size = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    common = size.clip(min=0).prod(axis=2)
    total = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1) - common
    overlap: FloatArray = np.divide(common, total, out=np.zeros_like(common), where=total > 0)
    return overlap


def touching(boxes: npt.NDArray[np.int64], bbox: tuple[int, int, int, int]) -> list[int]:
    """The indices of those of `boxes` int64 [N, 4] that share pixels with `bbox`, all as x, y, w, h in pixels."""
    x, y, w, h = boxes.T
    left, top, width, height = bbox
    across = (x < left + width) & (left < x + w)
    down = (y < top + height) & (top < y + h)
    indices: list[int] = np.flatnonzero(across & down).tolist()
    return indices


def nms(boxes: FloatArray, scores: FloatArray, threshold: float) -> npt.NDArray[np.int64]:
    """Greedy non-maximum suppression: the indices kept, int64 [K], best score first, equal scores in given order.

    boxes float32 [N, 4] as x0, y0, x1, y1; scores float32 [N]. A box goes if its IoU with a kept one exceeds
    `threshold`, as in torchvision's `nms`.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[box_iou(boxes[best : best + 1], boxes[left])[0] <= threshold]
    return np.array(kept, dtype=np.int64)


def turn_box_upright(box: Box, orientation: int, height: int, width: int) -> Box:
    """A box of stored pixels in the upright image of `height` x `width` pixels, by its EXIF orientation (1..8)."""
    x0, y0, x1, y1 = box
    if orientation in (5, 6, 7, 8):
        x0, y0, x1, y1 = y0, x0, y1, x1
    if orientation in (2, 3, 6, 7):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 7, 8):
        y0, y1 = height - y1, height - y0
    return x0, y0, x1, y1


def contains(mask: RLE, x: float, y: float) -> bool:
    """Whether the point (x, y), in pixels, lies in the mask; False outside the image."""
    if not (0 <= x < mask.width and 0 <= y < mask.height):
        return False
    return bool(np.searchsorted(rle.bounds(mask), int(x) * mask.height + int(y), side="right") % 2)


def coverage(mask: RLE, side: int) -> FloatArray:
    """How a mask's pixels are spread over a grid of `side` x `side` cells: float32 [side, side] that sums to 1.

    Of a large mask only some rows and columns are looked at, _SAMPLED pixels or so. An empty mask gives zeros.
    """
    step = max(1, math.isqrt(rle.area(mask) // _SAMPLED))
    pixels, x, y = rle.decode_crop(mask)
    rows, columns = np.nonzero(pixels[::step, ::step])
    cells = (y + step * rows) * side // mask.height * side + (x + step * columns) * side // mask.width
    counts = np.bincount(cells, minlength=side * side).reshape(side, side)
    return (counts / max(1, len(cells))).astype(np.float32)


def farthest_point(region: BoolArray) -> tuple[int, int] | None:
    """The column and row of the pixel of a bool [H, W] region that lies deepest in it; None if the region is empty.

    Everything outside the image counts as outside the region. Of equally deep pixels the first in reading order wins.
    """
    padded = np.pad(region, 1).view(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return (int(column) - 1, int(row) - 1) if depth[row, column] > 0 else None


def fill_polygon(polygon: npt.ArrayLike, height: int, width: int) -> RLE:
    """The mask of one polygon given as COCO does, x0, y0, x1, y1, ... in pixels, closed by itself.

    Gives the very pixels of pycocotools (cocoapi, maskApi.c, rleFrPoly): the outline is walked in steps of a fifth of a
    pixel; where it passes the middle of a column, the mask changes at the next row. Raises `InvalidMask` unless there
    are three or more points, all finite, with an outline of a sane length.
    """
    try:
        points = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 1 or points.size < 6 or points.size % 2 or not np.isfinite(points).all():
        raise InvalidMask("A polygon is a flat list of three or more points: x0, y0, x1, y1, ...")
    if np.abs(points).max() > _MAX_FRAMES * max(height, width) + _MAX_OUTSIDE:
        raise InvalidMask("A polygon lies far outside its image.")
    u, v = _outline(np.trunc(_SCALE * points.reshape(-1, 2) + 0.5).astype(np.int64))
    moved = np.flatnonzero(u[1:] != u[:-1])
    column = (np.minimum(u[moved], u[moved + 1]) + 0.5) / _SCALE - 0.5
    row = np.ceil(((np.minimum(v[moved], v[moved + 1]) + 0.5) / _SCALE - 0.5).clip(0, height))
    inside = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    return rle.from_flips((column[inside] * height + row[inside]).astype(np.int64), height, width)


def _outline(corners: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Every grid point on the closed outline through `corners`, int64 [K, 2], each edge with both of its ends."""
    ahead = np.roll(corners, -1, axis=0) - corners
    steps = np.abs(ahead).max(axis=1)
    if steps.sum() > MAX_OUTLINE:
        raise InvalidMask("The outline of a polygon is too long.")
    # Walked from the end with the smaller major coordinate, for the rounding depends on the direction.
    major = np.abs(ahead[:, 1]) > np.abs(ahead[:, 0])
    backwards = np.take_along_axis(ahead, major[:, None].astype(np.int64), axis=1)[:, 0] < 0
    start = np.where(backwards[:, None], corners + ahead, corners)
    slope = np.where(backwards[:, None], -ahead, ahead) / np.maximum(steps, 1)[:, None]
    edge = np.repeat(np.arange(steps.size), steps + 1)
    along = np.arange(edge.size) - np.repeat(np.cumsum(steps + 1) - (steps + 1), steps + 1)
    along = np.where(backwards[edge], steps[edge] - along, along)
    points = start[edge] + slope[edge] * along[:, None]
    u, v = np.trunc(points + 0.5).astype(np.int64).T
    return u, v
