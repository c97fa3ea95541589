"""Routes of automatic masks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from annotator.web.auth import User
from annotator.web.deps import OwnImage, Space, image_of
from annotator.web.schemas.automask import AutomaskRequest, Job, JobStarted

router = APIRouter(tags=["automatic masks"])


@router.post("/images/{image_id}/automask", status_code=202)
def start_automask(body: AutomaskRequest, record: OwnImage, space: Space) -> JobStarted:
    """Start proposing masks."""
    source = space.images.source(record)
    return JobStarted(job_id=space.automask.start(source, record.id, body.points_per_side, body.region))


def job_of(job_id: str, user: User, space: Space) -> str:
    """The run's id, if its image is the user's."""
    image_of(space.automask.image_id(job_id), user, space)
    return job_id


OwnJob = Annotated[str, Depends(job_of)]


@router.get("/jobs/{job_id}")
def job(job_id: OwnJob, space: Space) -> Job:
    """How far a run is, and its proposals once it has ended."""
    return Job.of(space.automask.status(job_id))


@router.delete("/jobs/{job_id}", status_code=204)
def cancel_job(job_id: OwnJob, space: Space) -> None:
    """Cancel a run; what it found so far can be reviewed, and /resume goes on with it."""
    space.automask.cancel(job_id)


@router.post("/jobs/{job_id}/resume")
def resume_job(job_id: OwnJob, space: Space) -> Job:
    """Go on with a run that was cancelled or failed."""
    space.automask.resume(job_id)
    return Job.of(space.automask.status(job_id))
