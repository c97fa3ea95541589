"""Prompts before they reach the model: checked against the image, and moved into a detail view of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

from annotator.errors import InvalidPrompt
from annotator.imaging.decode import UInt8Array
from annotator.masks import rle as rles
from annotator.sam.predictor import MAX_POINTS
from annotator.serving.local import Answer
from annotator.types import BoolArray, CroppedRuns, Point, Prompt

Array = TypeVar("Array", UInt8Array, BoolArray)

_MIN_VIEW = 16


@dataclass(frozen=True, slots=True)
class Refinement:
    """An earlier answer's candidate, whose logits the next prompt starts from."""

    token: str
    index: int


@dataclass(frozen=True, slots=True)
class View:
    """A part of an image, in whole pixels, that the model looks at on its own."""

    x: int
    y: int
    width: int
    height: int

    def widened(self, side: int, height: int, width: int) -> View | None:
        """Grown to `side` pixels each way, as far as the image of `height` x `width` goes; None if that is all of it.

        A model whose input has that many pixels sees no less detail then, and more of what is around.
        """
        x, w = _grown(self.x, self.width, side, width)
        y, h = _grown(self.y, self.height, side, height)
        return None if (w, h) == (width, height) else View(x, y, w, h)

    def inside(self, prompt: Prompt) -> Prompt:
        """The prompt in the view's own coordinates."""
        points = tuple(Point(x - self.x, y - self.y, label) for x, y, label in prompt.points)
        if prompt.box is None:
            return Prompt(points)
        x0, y0, x1, y1 = prompt.box
        return Prompt(points, (x0 - self.x, y0 - self.y, x1 - self.x, y1 - self.y))

    def shown(self, prompt: Prompt) -> Prompt:
        """Without the points, and the box, that do not lie in the view."""
        right, bottom = self.x + self.width, self.y + self.height
        points = tuple(each for each in prompt.points if self.x <= each.x <= right and self.y <= each.y <= bottom)
        x0, y0, x1, y1 = prompt.box or (0.0, 0.0, 0.0, 0.0)
        whole = self.x <= x0 and self.y <= y0 and x1 <= right and y1 <= bottom
        return Prompt(points, prompt.box if whole else None)

    def placed(self, answer: Answer, height: int, width: int, around: BoolArray | None = None) -> Answer:
        """The answer with its masks put back into the image of `height` x `width` pixels.

        Outside the view they are `around`, the mask [height, width] that was corrected, or nothing.
        """
        rest = None
        if around is not None:
            outside = around.copy()
            seen(outside, self)[:] = False
            rest = rles.encode(outside)
        placed = []
        for each in answer.candidates:
            x, y, w, h, runs = rles.to_cropped(each.mask)
            mask = rles.from_cropped(
                CroppedRuns(x + self.x if w else 0, y + self.y if h else 0, w, h, runs), height, width
            )
            placed.append(replace(each, mask=mask if rest is None else rles.union(mask, rest)))
        return replace(answer, candidates=placed)


def _grown(start: int, length: int, least: int, whole: int) -> tuple[int, int]:
    """Start and length of an interval of at least `least`, inside 0..`whole`, around the given one."""
    grown = min(max(length, least), whole)
    return min(max(0, start - (grown - length) // 2), whole - grown), grown


def seen(pixels: Array, view: View | None) -> Array:
    """The part of an image or mask [H, W, ...] that a view shows."""
    return pixels if view is None else pixels[view.y : view.y + view.height, view.x : view.x + view.width]


def check_view(view: View, height: int, width: int) -> None:
    """Raises InvalidPrompt unless the view lies in the image."""
    right, bottom = view.x + view.width, view.y + view.height
    if min(view.width, view.height) < _MIN_VIEW or view.x < 0 or view.y < 0 or right > width or bottom > height:
        raise InvalidPrompt(
            f"The view should lie inside the image and be at least {_MIN_VIEW} pixels wide and high.", "view"
        )


def check_seen(view: View, prompt: Prompt) -> None:
    """Raises InvalidPrompt unless the prompt lies in the view."""
    try:
        check_prompt(view.inside(prompt), view.height, view.width)
    except InvalidPrompt as error:
        raise InvalidPrompt("With a detail view, all prompts should lie inside it.", error.field) from None


def check_prompt(prompt: Prompt, height: int, width: int) -> None:
    """Against an image of `height` x `width` pixels. Raises InvalidPrompt naming the offending field."""
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
    if prompt.box is None:
        return
    if not all(math.isfinite(each) for each in prompt.box):
        raise InvalidPrompt("The box's coordinates should be numbers.", "box")
    x0, y0, x1, y1 = prompt.box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InvalidPrompt(
            f"The box should lie inside the image of {width} x {height} pixels and have an area.", "box"
        )
