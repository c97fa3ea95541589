"""Routes of automatic masks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from annotator.errors import NotFound
from annotator.web.auth import User
from annotator.web.deps import OwnImage, Space, document_reply, image_of
from annotator.web.schemas.annotations import Document
from annotator.web.schemas.automask import AcceptProposals, AutomaskRequest, Job, JobStarted

router = APIRouter(tags=["automatic masks"])


@router.post("/images/{image_id}/automask")
def start_automask(body: AutomaskRequest, record: OwnImage, space: Space) -> JobStarted:
    """Start proposing masks."""
    return JobStarted(job_id=space.automask.start(record, body.points_per_side, body.region))


def job_of(job_id: str, user: User, space: Space) -> str:
    """The run's id, if its image is the user's."""
    image_of(space.automask.image_id(job_id), user, space)
    return job_id


OwnJob = Annotated[str, Depends(job_of)]


@router.get("/jobs/{job_id}")
def job(job_id: OwnJob, space: Space) -> Job:
    """How far a run is, and its proposals once it has ended."""
    return Job.of(space.automask.status(job_id))


@router.delete("/jobs/{job_id}")
def cancel_job(job_id: OwnJob, space: Space) -> dict[str, Any]:
    """Cancel a run; what it found so far can be reviewed, and /resume goes on with it."""
    space.automask.cancel(job_id)
    return {}


@router.post("/jobs/{job_id}/resume")
def resume_job(job_id: OwnJob, space: Space) -> Job:
    """Go on with a run that was cancelled or failed."""
    space.automask.resume(job_id)
    return Job.of(space.automask.status(job_id))


@router.post("/images/{image_id}/automask/accept")
def accept(body: AcceptProposals, record: OwnImage, space: Space) -> Document:
    """Keep proposals as objects, or as one object of several parts."""
    if space.automask.image_id(body.job_id) != record.id:
        raise NotFound("These automatic masks belong to another image.")
    found = space.automask.status(body.job_id).proposals
    if not all(0 <= index < len(found) for index in body.indices):
        raise NotFound("There is no such proposal.")
    chosen = [found[index] for index in dict.fromkeys(body.indices)]
    space.annotations.accept(record, chosen, body.label_id, body.merge, body.request_id)
    return document_reply(space, space.document(record))
