"""What a prompt has to be to make sense on an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from annotator.errors import InvalidPrompt
from annotator.types import MAX_POINTS, Box, Prompt


def check_prompt(prompt: Prompt, height: int, width: int) -> None:
    """Check against an image of `height` x `width` pixels. Raises InvalidPrompt naming the offending field."""
    if not prompt.points and prompt.box is None:
        raise InvalidPrompt("A prompt needs a point or a box.", "points")
    if len(prompt.points) + 2 * (prompt.box is not None) > MAX_POINTS:
        raise InvalidPrompt(f"A prompt can have at most {MAX_POINTS} points (a box counts as two).", "points")
    for index, (x, y, label) in enumerate(prompt.points):
        field = f"points[{index}]"
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InvalidPrompt("A point's coordinates should be numbers.", field)
        if not (0 <= x <= width and 0 <= y <= height):
            raise InvalidPrompt(f"The point ({x:g}, {y:g}) lies outside the image of {width} x {height} pixels.", field)
        if label not in (0, 1):
            raise InvalidPrompt("A point's label should be 1 (object) or 0 (background).", field)
    if prompt.box is not None:
        check_box(prompt.box, height, width)


def check_box(box: Box, height: int, width: int, field: str = "box") -> None:
    """Check a box, called `field`, against an image of `height` x `width` pixels. Raises InvalidPrompt."""
    if not all(map(math.isfinite, box)):
        raise InvalidPrompt(f"The {field}'s coordinates should be numbers.", field)
    x0, y0, x1, y1 = box
    if x1 < x0 or y1 < y0:
        raise InvalidPrompt(
            f"The {field} should be x0, y0, x1, y1: its upper left corner first, then its lower right one.", field
        )
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InvalidPrompt(
            f"The {field} should lie inside the image of {width} x {height} pixels and have an area.", field
        )


def check_prompts(prompts: Sequence[Prompt], height: int, width: int) -> None:
    """`check_prompt` for each of them. Raises InvalidPrompt naming the offending object, counted from 1."""
    for index, prompt in enumerate(prompts):
        try:
            check_prompt(prompt, height, width)
        except InvalidPrompt as error:
            raise InvalidPrompt(f"Object {index + 1}: {error}", f"objects[{index}].{error.field}") from None
