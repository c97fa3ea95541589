"""Requests for masks, and their answers, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from annotator import types
from annotator.masks import rle as rles
from annotator.serving.segmenter import Answer
from annotator.web.schemas.base import Count, Reply, Whole
from annotator.web.schemas.masks import Mask, ObjectPrompts
from annotator.workspace.views import MIN_VIEW


class Refinement(BaseModel):
    """A candidate of an earlier answer to start from."""

    token: str
    index: Count


class View(BaseModel):
    """A part of the image in whole pixels, seen by the model at full resolution."""

    x: Annotated[Whole, Field(ge=0)]
    y: Annotated[Whole, Field(ge=0)]
    width: Annotated[Whole, Field(ge=MIN_VIEW)]
    height: Annotated[Whole, Field(ge=MIN_VIEW)]


class PromptRequest(ObjectPrompts):
    """One object's prompts. They refine an earlier answer, or, where it is not known (any more), a `mask`."""

    refine: Refinement | None = None
    mask: Mask | None = None
    kind: Literal["click", "hover"] = "click"
    client: Annotated[str, Field(max_length=64, examples=["tab-1"])] = ""
    view: View | None = None


class PromptsRequest(BaseModel):
    """The prompts of many objects of one image; each one is an object of its own."""

    objects: Annotated[
        list[ObjectPrompts],
        Field(
            min_length=1,
            max_length=types.MAX_OBJECTS,
            examples=[[{"points": [(200, 150, 1)]}, {"box": (100, 50, 300, 250)}]],
        ),
    ]


class Candidate(BaseModel):
    """One answer; `score` is the predicted IoU."""

    mask: Mask
    score: float
    stability: float
    area: int

    @classmethod
    def of(cls, candidate: types.Candidate) -> Candidate:
        """From the segmenter's candidate. Its values need no checks."""
        mask, area = Mask.of(candidate.mask), rles.area(candidate.mask)
        return cls.model_construct(mask=mask, score=candidate.score, stability=candidate.stability, area=area)


class Timing(Reply):
    """Milliseconds per span; encode is null when the embedding was cached."""

    queue: float
    encode: float | None
    decode: float
    postprocess: float
    total: float


class PromptAnswer(BaseModel):
    """Candidates in recommended order; `token` refers to them in a later `refine`.

    `refined` is false if the candidates start from the prompts alone. This also happens when the server has forgotten
    the answer to refine. Then send its mask: the result is as good.
    """

    token: str
    candidates: list[Candidate]
    timing: Timing
    refined: bool

    @classmethod
    def of(cls, answer: Answer) -> PromptAnswer:
        """From the segmenter's answer."""
        candidates = [Candidate.of(each) for each in answer.candidates]
        return cls.model_construct(
            token=answer.token,
            candidates=candidates,
            timing=Timing.model_validate(answer.timing),
            refined=answer.refined,
        )


class PromptsAnswer(BaseModel):
    """The best mask of each object, in the order of the request. A mask may be empty."""

    objects: list[Candidate]

    @classmethod
    def of(cls, candidates: list[types.Candidate]) -> PromptsAnswer:
        """From the segmenter's candidates."""
        return cls.model_construct(objects=[Candidate.of(each) for each in candidates])
