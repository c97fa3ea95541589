"""The value that readers of boxes give: a box of a file, in its image, to be a prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from annotator.formats.coco_images import Target
from annotator.formats.dataset import FileCategory
from annotator.formats.problems import Problem, Problems
from annotator.masks.geometry import turn_box_upright
from annotator.types import Box

_NO_BOX = Problem(
    "The box of {which} is not four numbers with an area.",
    "{count} boxes are not four numbers with an area: {which}.",
)
_OUTSIDE = Problem("The box of {which} lies outside its image.", "{count} boxes lie outside their images: {which}.")
_CUT = Problem(
    "The box of {which} reaches outside its image and was cut off at the border.",
    "{count} boxes reach outside their images and were cut off at the border: {which}.",
    is_used=True,
)
HAS_MASK = Problem(
    "A mask is there already, so the box was left out: {which}.",
    "{count} boxes were left out, for their masks are there already: {which}.",
)

OBJECT = FileCategory("object")
"""For boxes without a class."""

_LEEWAY = 1.0
"""So many pixels outside the image are taken for rounding."""

NOWHERE = (math.nan,) * 4
"""For a box that is not four numbers."""


class FileBox(NamedTuple):
    """One usable box, inside of its upright image. `where` names its place in the file."""

    image_id: str
    where: str
    box: Box
    category: FileCategory


def place_box(
    corners: Sequence[float], target: Target, where: str, category: FileCategory, problems: Problems
) -> list[FileBox]:
    """The box x0, y0, x1, y1, upright and clipped to its image; none if no area is left, which is reported."""
    x0, y0, x1, y1 = corners
    if not (all(map(math.isfinite, corners)) and x0 < x1 and y0 < y1):
        problems.add(_NO_BOX, where)
        return []
    image = target.image
    if target.turned:
        x0, y0, x1, y1 = turn_box_upright((x0, y0, x1, y1), image.orientation, image.height, image.width)
    box = max(x0, 0.0), max(y0, 0.0), min(x1, float(image.width)), min(y1, float(image.height))
    if not (box[0] < box[2] and box[1] < box[3]):
        problems.add(_OUTSIDE, where)
        return []
    if max(abs(given - cut) for given, cut in zip((x0, y0, x1, y1), box, strict=True)) > _LEEWAY:
        problems.add(_CUT, where)
    return [FileBox(image.id, where, box, category)]
