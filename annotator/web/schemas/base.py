"""What all schemas share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

RequestId = Annotated[str, Field(min_length=8, max_length=64)]
"""Chosen by the client: a request with an id that was seen before changes nothing again."""


class Reply(BaseModel):
    """A schema that is filled from the attributes of a value of `annotator.types` or `serving.segmenter`."""

    model_config = ConfigDict(from_attributes=True)


class Error(BaseModel):
    """Every failure: one sentence, and the offending input if there is one."""

    error: str
    field: str | None = None
