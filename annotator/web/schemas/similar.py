"""Searches for similar objects, and labels that are suggested, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from annotator.web.schemas.masks import Mask
from annotator.workspace.similar import MAX_EXAMPLES


class SimilarRequest(BaseModel):
    """Look for objects like these kept ones, which lie in this image or in the image `examples_in`."""

    annotation_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_EXAMPLES)]
    examples_in: str | None = None


class LabelSuggestionRequest(BaseModel):
    """A mask that is not kept yet."""

    mask: Mask


class LabelSuggestion(BaseModel):
    """The label of the kept objects that look most like the mask; null where that is not clear."""

    label_id: int | None
