"""Automatic masks as JSON: runs, proposals, and which of them to keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from annotator import types
from annotator.serving.segmenter import AutomaskState, AutomaskStatus
from annotator.types import Box
from annotator.web.schemas.masks import Mask
from annotator.workspace.automask import MAX_POINTS_PER_SIDE


class AutomaskRequest(BaseModel):
    """Automatic masks over the image, or over a box of it."""

    points_per_side: Annotated[int, Field(ge=1, le=MAX_POINTS_PER_SIDE)] | None = None
    region: Box | None = None


class JobStarted(BaseModel):
    """A run to follow under /jobs."""

    job_id: str


class AutomaskProposal(BaseModel):
    """One automatic mask; `point` is the click that found it."""

    index: int
    mask: Mask
    score: float
    stability: float
    area: int
    bbox: tuple[int, int, int, int]
    point: tuple[float, float]

    @classmethod
    def of(cls, index: int, proposal: types.Proposal) -> AutomaskProposal:
        """From the generator's proposal."""
        return cls(
            index=index,
            mask=Mask.of(proposal.mask),
            score=proposal.score,
            stability=proposal.stability,
            area=proposal.area,
            bbox=proposal.bbox,
            point=proposal.point,
        )


class Job(BaseModel):
    """How far a run is; proposals come when it has ended."""

    state: AutomaskState
    done: int
    total: int
    error: str | None
    proposals: list[AutomaskProposal]

    @classmethod
    def of(cls, status: AutomaskStatus) -> Job:
        """From the segmenter's status."""
        return cls(
            state=status.state,
            done=status.done,
            total=status.total,
            error=status.error,
            proposals=[AutomaskProposal.of(index, each) for index, each in enumerate(status.proposals)],
        )
