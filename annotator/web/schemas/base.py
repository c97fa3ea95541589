"""What all schemas share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict

RequestId = Annotated[str, Field(min_length=8, max_length=64, examples=["5f0c9a71e2b84d36"])]
"""Chosen by the client: a request with an id that was seen before changes nothing again."""


Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
"""Numbers of requests: texts and booleans are none."""

Count = Annotated[Whole, Field(json_schema_extra={"minimum": 0})]
"""0 or more. The use cases refuse others, in their own words."""

RequestBox = tuple[Number, Number, Number, Number]
"""x0, y0, x1, y1 in pixels, x0 < x1 and y0 < y1."""


class Reply(BaseModel):
    """A schema that is filled from the attributes of a value of `annotator.types` or `serving.segmenter`."""

    model_config = ConfigDict(from_attributes=True)


class Problem(BaseModel):
    """Every failure, as RFC 9457 has it: `detail` is one sentence for people, `field` the offending input if any."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None
