"""Changing masks losslessly: fill holes, drop specks, split into parts, turn. RLE in, RLE out.

Pixels of a mask belong together if they touch, be it by a corner (8-connectivity); pixels around it, hence its holes,
only if they share a side (4-connectivity), so that a diagonal line separates.
"""

from __future__ import annotations

import cv2
import numpy as np

from annotator.masks import rle
from annotator.types import RLE


def fill_holes(mask: RLE, max_area: int) -> RLE:
    """Fill the holes of at most `max_area` pixels. What touches the border of the image is no hole."""
    crop, x, y = rle.decode_crop(mask)
    around = (~np.pad(crop, 1)).view(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(around, connectivity=4)
    fill = stats[:, cv2.CC_STAT_AREA] <= max_area
    fill[[0, parts[0, 0]]] = False  # the mask itself, and the outside
    return rle.encode_at(crop | fill[parts[1:-1, 1:-1]], x, y, mask.height, mask.width)


def drop_specks(mask: RLE, max_area: int) -> RLE:
    """Drop the parts of at most `max_area` pixels, even if nothing is left."""
    crop, x, y = rle.decode_crop(mask)
    if not crop.size:
        return mask
    _, parts, stats, _ = cv2.connectedComponentsWithStats(crop.view(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] > max_area
    keep[0] = False  # the background
    return rle.encode_at(keep[parts], x, y, mask.height, mask.width)


def split(mask: RLE) -> list[RLE]:
    """The connected parts, largest first, equal ones from top to bottom, then left to right; none of an empty mask."""
    crop, x, y = rle.decode_crop(mask)
    if not crop.size:
        return []
    _, parts, stats, _ = cv2.connectedComponentsWithStats(crop.view(np.uint8), connectivity=8)
    order = np.lexsort((stats[1:, cv2.CC_STAT_LEFT], stats[1:, cv2.CC_STAT_TOP], -stats[1:, cv2.CC_STAT_AREA])) + 1
    found = []
    for part in order:
        left, top, w, h = (int(side) for side in stats[part, :4])
        alone = parts[top : top + h, left : left + w] == part
        found.append(rle.encode_at(alone, x + left, y + top, mask.height, mask.width))
    return found


def turn_upright(mask: RLE, orientation: int) -> RLE:
    """A mask of stored pixels, turned and mirrored as an EXIF orientation (1..8) says; 5 to 8 swap height and width."""
    crop, x, y = rle.decode_crop(mask)
    height, width = mask.height, mask.width
    if orientation in (5, 6, 7, 8):
        crop, x, y, height, width = crop.T, y, x, width, height
    if orientation in (2, 3, 6, 7):
        crop, x = crop[:, ::-1], width - x - crop.shape[1]
    if orientation in (3, 4, 7, 8):
        crop, y = crop[::-1], height - y - crop.shape[0]
    return rle.encode_at(crop, x, y, height, width)
