"""The mask of a COCO annotation: compressed or uncompressed RLE, or polygons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from annotator.errors import InvalidMask
from annotator.formats.coco_images import Target, whole_number
from annotator.formats.problems import Problem
from annotator.masks import edit, geometry, rle
from annotator.types import RLE

_BOX_ONLY = Problem("Annotation {which} has a box and no mask.", "{count} annotations have a box and no mask: {which}.")
_NO_MASK = Problem("Annotation {which} has no mask.", "{count} annotations have no mask: {which}.")
_EMPTY = Problem("The mask of annotation {which} is empty.", "The masks of {count} annotations are empty: {which}.")
_FLAT_POLYGON = Problem(
    "The polygon of annotation {which} is not in a list: COCO has a list of polygons, [[x0, y0, x1, y1, ...]].",
    "The polygons of {count} annotations are not in lists: COCO has a list of polygons, [[x0, y0, x1, y1, ...]]. "
    "The annotations are {which}.",
)
_STRAY_PART = Problem(
    "A part of annotation {which} has fewer than three points; the other parts were used.",
    "{count} annotations have parts of fewer than three points; their other parts were used: {which}.",
)


class Unusable(Exception):
    """Why an annotation cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def read_mask(entry: Mapping[str, Any], target: Target) -> tuple[RLE, Problem | None]:
    """The mask, upright, and what was left out of it. Raises `Unusable` or `InvalidMask`.

    The pixels are those that pycocotools makes of the segmentation.
    """
    segmentation = entry.get("segmentation")
    image, turned, left_out = target.image, bool(target.turned), None
    if isinstance(segmentation, dict):
        turned = _is_turned(segmentation.get("size"), target)
        mask = _from_runs(segmentation, *_frame(target, turned))
    elif isinstance(segmentation, list) and segmentation:
        mask, left_out = _from_polygons(segmentation, *_frame(target, turned))
    else:
        raise Unusable(_BOX_ONLY if _is_box(entry.get("bbox")) else _NO_MASK)
    if not rle.area(mask):
        raise Unusable(_EMPTY)
    if turned:
        mask = edit.turn_upright(mask, image.orientation)
    rle.check_intricacy(mask)
    return mask, left_out


def _frame(target: Target, turned: bool) -> tuple[int, int]:
    """Height and width of the upright image, or of its stored pixels."""
    image = target.image
    swapped = turned and image.orientation > 4
    return (image.width, image.height) if swapped else (image.height, image.width)


def _is_turned(size: object, target: Target) -> bool:
    """Whether a mask is one of the stored pixels; its own size counts first."""
    turned = bool(target.turned)
    given = _numbers(size)
    fits, fits_otherwise = given == _frame(target, turned), given == _frame(target, not turned)
    return not turned if fits_otherwise and not fits and target.image.orientation > 4 else turned


def _numbers(value: object) -> tuple[int | None, ...]:
    return tuple(map(whole_number, value)) if isinstance(value, list) and len(value) == 2 else ()


def _from_runs(segmentation: Mapping[str, Any], height: int, width: int) -> RLE:
    if _numbers(size := segmentation.get("size")) != (height, width):
        given = f"{size!s:.40}" if _numbers(size) else "missing"
        raise InvalidMask(f"Its size is {given} instead of [{height}, {width}].")
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        return rle.from_coco_string(counts, height, width)
    return rle.from_counts(counts if isinstance(counts, list) else [], height, width)


def _from_polygons(polygons: Sequence[Any], height: int, width: int) -> tuple[RLE, Problem | None]:
    """The union of the polygons. Those of fewer than three points have no pixels, as in pycocotools."""
    if isinstance(polygons[0], int | float):
        raise Unusable(_FLAT_POLYGON)
    parts = [part for part in polygons if not (isinstance(part, list) and len(part) < 6)] or polygons[:1]
    mask = rle.union(*(geometry.fill_polygon(part, height, width) for part in parts))
    return mask, _STRAY_PART if len(parts) < len(polygons) else None


def _is_box(value: object) -> bool:
    """Whether this is x, y, width and height of a box with an area."""
    if not isinstance(value, list) or len(value) != 4:
        return False
    return all(isinstance(each, int | float) for each in value) and 0 < value[2] < math.inf and 0 < value[3] < math.inf
