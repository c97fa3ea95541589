"""Objects and their history as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from annotator.errors import InvalidRequest
from annotator.types import Source
from annotator.web.schemas.base import Number, Reply, RequestId, Whole
from annotator.web.schemas.images import Image
from annotator.web.schemas.masks import Mask, Prompts, ShownMask
from annotator.workspace.annotations import NewObject


class Annotation(Reply):
    """A kept object. `mask` is empty if the mask is too intricate to be shown; `area`, `bbox` and exports are not."""

    id: str
    image_id: str
    label_id: int
    mask: ShownMask
    area: int
    bbox: tuple[int, int, int, int]
    score: float | None
    source: Source
    prompts: dict[str, Any]


class History(Reply):
    """What undo and redo would do, and who did it; `revision` grows with every change, also those of other tabs."""

    revision: int
    undo: str | None
    redo: str | None
    undo_author: str | None
    redo_author: str | None


class UndoRequest(BaseModel):
    """A step of undo or redo, only from this `revision` if one is given."""

    revision: Whole | None = None


class Document(BaseModel):
    """All there is to show of one image."""

    image: Image
    annotations: list[Annotation]
    history: History


class AnnotationReply(BaseModel):
    """An annotation after a change, and the history with it."""

    annotation: Annotation
    history: History


class CorrectionReply(AnnotationReply):
    """`replaced` is the mask that was replaced, so that a client that expected another one can tell its user.

    It is null where no mask was changed, or when the request had been answered before.
    """

    replaced: Mask | None


class HistoryReply(BaseModel):
    """The history after a change whose outcome the caller knows."""

    history: History


class NewAnnotation(BaseModel):
    """An object to keep: the mask the user saw."""

    label_id: Whole
    mask: Mask
    score: Annotated[Number, Field(ge=0, le=1)] | None = None
    source: Source = "prompt"
    prompts: Prompts = Prompts()
    request_id: RequestId | None = None

    def new_object(self, height: int, width: int) -> NewObject:
        """The domain's value. Raises InvalidMask."""
        mask = self.mask.rle(height, width)
        return NewObject(self.label_id, mask, self.score, self.source, self.prompts.model_dump())


class NewAnnotations(BaseModel):
    """Objects to keep in one step of the history; with `merge`, as one object that is their union."""

    objects: Annotated[list[NewAnnotation], Field(min_length=1, max_length=5000)]
    merge: bool = False
    request_id: RequestId | None = None


class AnnotationChange(BaseModel):
    """Fields of an object to set."""

    label_id: Whole | None = None
    mask: Mask | None = None
    prompts: Prompts | None = None
    score: Annotated[Number, Field(ge=0, le=1)] | None = None
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


class ObjectsRequest(BaseModel):
    """Objects to change together, in one step of the history."""

    ids: Annotated[list[str], Field(min_length=1, max_length=5000)]
    request_id: RequestId | None = None


class RelabelRequest(ObjectsRequest):
    """Give objects another label."""

    label_id: Whole


class CleanRequest(ObjectsRequest):
    """Fill holes and drop specks of at most so many pixels."""

    fill_holes: Annotated[Whole, Field(ge=0)] = 0
    drop_specks: Annotated[Whole, Field(ge=0)] = 0
