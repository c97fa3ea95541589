"""Automatic masks as JSON: runs, proposals, and which of them to keep."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from annotator.sam.automask import Proposal
from annotator.serving.automask_jobs import AutomaskJob
from annotator.types import Box
from annotator.web.schemas.objects import Mask, RequestId


class AutomaskRequest(BaseModel):
    """Automatic masks over the image, or over a box of it."""

    points_per_side: int | None = None
    region: Box | None = None


class JobStarted(BaseModel):
    """A run to follow under /jobs."""

    job_id: str


class AutomaskProposal(BaseModel):
    """One automatic mask."""

    index: int
    mask: Mask
    score: float
    stability: float
    area: int
    bbox: tuple[int, int, int, int]

    @classmethod
    def of(cls, index: int, proposal: Proposal) -> AutomaskProposal:
        """From the generator's proposal."""
        return cls(
            index=index,
            mask=Mask.of(proposal.mask),
            score=proposal.score,
            stability=proposal.stability,
            area=proposal.area,
            bbox=proposal.bbox,
        )


class Job(BaseModel):
    """How far a run is; proposals come when it is done."""

    state: Literal["running", "done", "cancelled", "failed"]
    done: int
    total: int
    error: str | None
    proposals: list[AutomaskProposal]

    @classmethod
    def of(cls, job: AutomaskJob) -> Job:
        """As it stands now."""
        state = job.state  # before the proposals: they are complete once it has ended
        return cls(
            state=state,
            done=job.run.progress.done,
            total=job.run.progress.total,
            error=job.error,
            proposals=[AutomaskProposal.of(index, each) for index, each in enumerate(job.proposals)],
        )


class AcceptProposals(BaseModel):
    """Proposals to keep as objects; with `merge`, as one object that is their union."""

    job_id: str
    indices: Annotated[list[int], Field(min_length=1, max_length=5000)]
    merge: bool = False
    label_id: int
    request_id: RequestId | None = None
