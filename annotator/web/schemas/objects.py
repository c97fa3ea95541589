"""Prompts, masks and objects as JSON, converted to and from the values in `annotator.types`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from annotator import types
from annotator.errors import InvalidRequest
from annotator.masks import rle as rles
from annotator.serving.local import Answer
from annotator.types import RLE, Box, CroppedRuns, Source
from annotator.web.schemas.projects import Image

RequestId = Annotated[str, Field(min_length=8, max_length=64)]


class Mask(BaseModel):
    """Row-major runs, zeros first, over the mask's bounding box; they sum to w * h."""

    x: int
    y: int
    w: int
    h: int
    runs: Annotated[list[int], Field(max_length=4_000_000)]

    @classmethod
    def of(cls, rle: RLE) -> Mask:
        """From full-frame run lengths."""
        return cls.model_construct(**rles.to_cropped(rle)._asdict())

    def rle(self, height: int, width: int) -> RLE:
        """To full-frame run lengths. Raises InvalidMask if it does not fit."""
        return rles.from_cropped(CroppedRuns(self.x, self.y, self.w, self.h, self.runs), height, width)


class Prompts(BaseModel):
    """Points [x, y, label] with label 1 (object) or 0 (background), and a box [x0, y0, x1, y1]."""

    points: Annotated[list[tuple[float, float, int]], Field(max_length=64)] = []
    box: Box | None = None

    def prompt(self) -> types.Prompt:
        """The domain's value."""
        return types.Prompt(tuple(types.Point(*each) for each in self.points), self.box)


class Annotation(BaseModel):
    """A kept object."""

    id: str
    image_id: str
    label_id: int
    mask: Mask
    area: int
    bbox: tuple[int, int, int, int]
    score: float | None
    source: Source
    prompts: dict[str, Any]

    @classmethod
    def of(cls, annotation: types.Annotation) -> Annotation:
        """From the stored annotation."""
        return cls(
            id=annotation.id,
            image_id=annotation.image_id,
            label_id=annotation.label_id,
            mask=Mask.of(annotation.mask),
            area=annotation.area,
            bbox=annotation.bbox,
            score=annotation.score,
            source=annotation.source,
            prompts=annotation.prompts,
        )


class History(BaseModel):
    """What undo and redo would do; `revision` grows with every change, also those of other tabs."""

    revision: int
    undo: str | None
    redo: str | None

    @classmethod
    def of(cls, history: types.History) -> History:
        """From the journal."""
        return cls(revision=history.revision, undo=history.undo, redo=history.redo)


class Walk(BaseModel):
    """A step of undo or redo, only from this `revision` if one is given."""

    revision: int | None = None


class Document(BaseModel):
    """All there is to show of one image."""

    image: Image
    annotations: list[Annotation]
    history: History


class Kept(BaseModel):
    """An annotation after a change, and the history with it."""

    annotation: Annotation
    history: History


class Corrected(Kept):
    """`replaced` is the mask that gave way to a new one: whoever thought it was another learns of that. None where no
    mask was changed, or when the request had been answered before."""

    replaced: Mask | None


class Changed(BaseModel):
    """The history after a change whose outcome the caller knows."""

    history: History


class Refinement(BaseModel):
    """A candidate of an earlier answer to start from."""

    token: str
    index: int


class View(BaseModel):
    """A part of the image in whole pixels, seen by the model at full resolution."""

    x: int
    y: int
    width: int
    height: int


class PromptRequest(Prompts):
    """One object's prompts. They refine an earlier answer, or, where it is not known (any more), a `mask`."""

    refine: Refinement | None = None
    mask: Mask | None = None
    kind: Literal["click", "hover"] = "click"
    client: Annotated[str, Field(max_length=64)] = ""
    view: View | None = None


class Candidate(BaseModel):
    """One answer."""

    mask: Mask
    score: float
    stability: float
    area: int


class Timing(BaseModel):
    """Milliseconds per span; encode is null when the embedding was cached."""

    queue: float
    encode: float | None
    decode: float
    postprocess: float
    total: float


class PromptAnswer(BaseModel):
    """Candidates in recommended order; `token` refers to them in a later `refine`."""

    token: str
    candidates: list[Candidate]
    timing: Timing

    @classmethod
    def of(cls, token: str, answer: Answer) -> PromptAnswer:
        """From the segmenter's answer."""
        timing = answer.timing
        return cls.model_construct(
            token=token,
            candidates=[
                Candidate.model_construct(
                    mask=Mask.of(each.mask), score=each.score, stability=each.stability, area=rles.area(each.mask)
                )
                for each in answer.candidates
            ],
            timing=Timing.model_construct(
                queue=timing.queue,
                encode=timing.encode,
                decode=timing.decode,
                postprocess=timing.postprocess,
                total=timing.total,
            ),
        )


class NewAnnotation(BaseModel):
    """An object to keep: the mask the user saw."""

    label_id: int
    mask: Mask
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    source: Source = "prompt"
    prompts: Prompts = Prompts()
    request_id: RequestId | None = None


class AnnotationChange(BaseModel):
    """Fields of an object to set."""

    label_id: int | None = None
    mask: Mask | None = None
    prompts: Prompts | None = None
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    source: Source | None = None
    request_id: RequestId | None = None

    def fields(self, height: int, width: int) -> dict[str, Any]:
        """The given fields as domain values. Raises InvalidMask, and InvalidRequest if there are none."""
        given = self.model_dump(exclude_none=True, exclude={"mask", "request_id"})
        if self.mask is not None:
            given["mask"] = self.mask.rle(height, width)
        if not given:
            raise InvalidRequest("The request changes nothing.")
        return given


class Objects(BaseModel):
    """Objects to change together, in one step of the history."""

    ids: Annotated[list[str], Field(min_length=1, max_length=5000)]
    request_id: RequestId | None = None


class Relabel(Objects):
    """Give objects another label."""

    label_id: int


class Clean(Objects):
    """Fill holes and drop specks of at most so many pixels."""

    fill_holes: Annotated[int, Field(ge=0)] = 0
    drop_specks: Annotated[int, Field(ge=0)] = 0
