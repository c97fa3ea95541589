"""Masks and prompts as JSON, converted to and from the values in `annotator.types`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from annotator import types
from annotator.errors import TooIntricate
from annotator.masks import rle as rles
from annotator.types import MAX_POINTS, RLE, CroppedRuns
from annotator.web.schemas.base import Count, Number, RequestBox, Whole


class Mask(BaseModel):
    """Row-major runs, zeros first, over the mask's bounding box; they sum to w * h."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"x": 10, "y": 20, "w": 3, "h": 2, "runs": [0, 4, 1, 1]}]}
    )

    x: Count
    y: Count
    w: Count
    h: Count
    runs: Annotated[list[Count], Field(max_length=rles.MAX_ROW_RUNS)]

    @classmethod
    def of(cls, rle: RLE) -> Mask:
        """From full-frame run lengths."""
        return cls.model_construct(**rles.to_cropped(rle)._asdict())

    @classmethod
    def shown(cls, rle: RLE) -> Mask:
        """As `of`, or an empty mask for one that older versions kept and that is too intricate for a browser."""
        try:
            rles.check_intricacy(rle)
        except TooIntricate:
            return cls.of(rles.empty(rle.height, rle.width))
        return cls.of(rle)

    def rle(self, height: int, width: int) -> RLE:
        """To full-frame run lengths. Raises InvalidMask if it does not fit."""
        return rles.from_cropped(CroppedRuns(self.x, self.y, self.w, self.h, self.runs), height, width)


def _shown(value: object) -> object:
    return Mask.shown(value) if isinstance(value, RLE) else value


ShownMask = Annotated[Mask, BeforeValidator(_shown)]
"""A stored mask in a reply, which may be given as full-frame run lengths."""


RequestPoint = tuple[Number, Number, Annotated[Whole, Field(json_schema_extra={"enum": [0, 1]})]]


class Prompts(BaseModel):
    """Points [x, y, label] with label 1 (object) or 0 (background), and a box [x0, y0, x1, y1]."""

    points: Annotated[list[RequestPoint], Field(max_length=MAX_POINTS, examples=[[(200, 150, 1)]])] = []
    box: Annotated[RequestBox | None, Field(examples=[(100, 50, 300, 250)])] = None

    def prompt(self) -> types.Prompt:
        """The domain's value."""
        return types.Prompt(tuple(types.Point(*each) for each in self.points), self.box)


class ObjectPrompts(Prompts):
    """The prompts of one object: at least one point or a box."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["points"], "properties": {"points": {"minItems": 1}}},
                {"required": ["box"], "properties": {"box": {"type": "array"}}},
            ]
        }
    )
