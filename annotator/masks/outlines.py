"""Outlines of masks as polygons, without a loss: holes are bridged, so that each part is one closed ring.

A bridge is a line that a ring walks twice, there and back. It has no width, and it lies inside the mask.
Pixels belong to one part if they touch, be it by a corner, as in `edit`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from annotator.masks import rle
from annotator.types import RLE, BoolArray

Ring = npt.NDArray[np.int64]
"""Corners of a closed polygon as x, y, int64 [K, 2]. The last one is joined to the first."""


def edge_rings(mask: RLE) -> list[Ring]:
    """One ring a part, along the edges of pixels: pixel (0, 0) has the corners (0, 0) and (1, 1).

    The union of `geometry.fill_polygon` of the rings, or of pycocotools' `frPyObjects`, is the mask.
    """
    crop, x, y = rle.decode_crop(mask)
    doubled = crop.repeat(2, axis=0).repeat(2, axis=1)
    # Half a pixel c of the outline lies at the edge (c + 1) // 2: an even one is the first half of its pixel.
    return [_simplified((ring + 1) // 2) + np.array([x, y]) for ring in _rings(doubled)]


def center_rings(mask: RLE) -> list[Ring]:
    """One ring a part, through the centres of the outermost pixels, given by column and row.

    `cv2.fillPoly` of the rings is the mask, for it fills the pixels on the outline too. A ring may have one corner.
    """
    crop, x, y = rle.decode_crop(mask)
    return [_simplified(ring) + np.array([x, y]) for ring in _rings(crop)]


def joined(rings: Sequence[Ring]) -> Ring:
    """One ring of several, at least one. Each is joined to those before it where they are close."""
    whole = rings[0]
    for ring in rings[1:]:
        here = _nearest(whole, ring[0])
        there = _nearest(ring, whole[here])
        around = np.roll(ring, -there, axis=0)
        whole = np.concatenate((whole[: here + 1], around, around[:1], whole[here:]))
    return whole


def _nearest(ring: Ring, point: npt.NDArray[np.int64]) -> int:
    return int(np.abs(ring - point).max(axis=1).argmin())


def _rings(crop: BoolArray) -> list[Ring]:
    """Every pixel on the outline of each part, in order, holes bridged."""
    if not crop.size:
        return []
    found, tree = cv2.findContours(crop.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = [contour.reshape(-1, 2).astype(np.int64) for contour in found]
    holes: dict[int, list[Ring]] = {number: [] for number, (*_, parent) in enumerate(tree[0]) if parent < 0}
    for contour, (*_, parent) in zip(contours, tree[0], strict=True):
        if parent >= 0:
            holes[parent].append(contour)
    return [_bridged(contours[part], inner, crop) if inner else contours[part] for part, inner in holes.items()]


def _bridged(outer: Ring, holes: Sequence[Ring], crop: BoolArray) -> Ring:
    """One ring of the outline of a part and those of its holes.

    From the leftmost pixel of a hole's outline, the bridge goes left, through the mask, to the next outline. That one
    reaches farther to the left, so it is in the ring already: holes are taken from left to right.
    """
    points = outer.tolist()
    after = [*range(1, len(points)), 0]
    place = {(x, y): number for number, (x, y) in enumerate(points)}
    for hole in sorted(holes, key=lambda ring: int(ring[:, 0].min())):
        start = int(hole[:, 0].argmin())
        around = np.roll(hole, -start, axis=0).tolist()
        x, y = around[0]
        before = np.flatnonzero(~crop[y, :x])
        landing = [int(before[-1]) + 1 if before.size else 0, y]
        shore = place[landing[0], landing[1]]
        first = len(points)
        points += [*around, around[0], landing]
        after += [*range(first + 1, len(points)), after[shore]]
        after[shore] = first
        for number, (column, row) in enumerate(around, first):
            place.setdefault((column, row), number)
    ring, at = [], 0
    for _ in points:
        ring.append(points[at])
        at = after[at]
    return np.array(ring, dtype=np.int64)


def _simplified(ring: Ring) -> Ring:
    """The ring without repeated points, and without those in the middle of straight lines."""
    ring = ring[np.any(ring != np.roll(ring, 1, axis=0), axis=1)] if len(ring) > 1 else ring
    if len(ring) < 3:
        return ring
    before, ahead = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * ahead[:, 1] != before[:, 1] * ahead[:, 0]
    returns = (before * ahead).sum(axis=1) < 0
    corners: Ring = ring[turns | returns]
    return corners
