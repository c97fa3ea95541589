"""Automatic masks as JSON: runs, proposals, and which of them to keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from annotator import types
from annotator.serving.segmenter import JobState, JobStatus
from annotator.web.schemas.base import RequestBox, Whole
from annotator.web.schemas.masks import Mask


class AutomaskRequest(BaseModel):
    """Automatic masks over the image, or over a box of it."""

    points_per_side: Annotated[Whole, Field(ge=1, le=types.MAX_POINTS_PER_SIDE)] | None = None
    region: RequestBox | None = None


class JobStarted(BaseModel):
    """A run to follow under /jobs."""

    job_id: str


class AutomaskProposal(BaseModel):
    """One proposed mask; `point` is the click that found it, `similarity` (0..1) how much it is like the examples."""

    index: int
    mask: Mask
    score: float
    stability: float
    area: int
    bbox: tuple[int, int, int, int]
    point: tuple[float, float]
    similarity: float | None

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
            similarity=proposal.similarity,
        )


class Job(BaseModel):
    """How far a run is; proposals come when it has ended."""

    state: JobState
    done: int
    total: int
    error: str | None
    proposals: list[AutomaskProposal]

    @classmethod
    def of(cls, status: JobStatus) -> Job:
        """From the segmenter's status."""
        return cls(
            state=status.state,
            done=status.done,
            total=status.total,
            error=status.error,
            proposals=[AutomaskProposal.of(index, each) for index, each in enumerate(status.proposals)],
        )
