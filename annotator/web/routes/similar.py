"""Routes that learn from kept objects: more objects like them, and a label for a new one."""

from __future__ import annotations

from fastapi import APIRouter

from annotator.web.auth import User
from annotator.web.deps import OwnImage, Space, image_of
from annotator.web.schemas.automask import JobStarted
from annotator.web.schemas.similar import SimilarRequest

router = APIRouter(tags=["similar objects"])


@router.post("/images/{image_id}/similar")
def start_similar(body: SimilarRequest, record: OwnImage, user: User, space: Space) -> JobStarted:
    """Start looking for objects like the examples; /jobs has how far it is, and proposals with their `similarity`."""
    examples_in = image_of(body.examples_in, user, space) if body.examples_in else record
    return JobStarted(job_id=space.similar.start(record, examples_in, body.annotation_ids))
