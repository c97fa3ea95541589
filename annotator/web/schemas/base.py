"""What all schemas share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

RequestId = Annotated[str, Field(min_length=8, max_length=64, examples=["5f0c9a71e2b84d36"])]
"""Chosen by the client: a request with an id that was seen before changes nothing again."""


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
