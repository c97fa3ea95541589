"""Routes that learn from kept objects: more objects like them, and a label for a new one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from annotator.web.auth import Viewer
from annotator.web.deps import SharedImage, Space, image_of
from annotator.web.schemas.automask import JobStarted
from annotator.web.schemas.similar import LabelSuggestion, LabelSuggestionRequest, SimilarRequest
from annotator.web.waiting import result_of

router = APIRouter(tags=["similar objects"])


@router.post("/images/{image_id}/similar")
def start_similar(body: SimilarRequest, record: SharedImage, viewer: Viewer, space: Space) -> JobStarted:
    """Start looking for objects like the examples; /jobs has how far it is, and proposals with their `similarity`.

    Proposals have a similarity of at least 0.4. From 0.6 on, most are right.
    """
    examples_in = image_of(body.examples_in, viewer, space) if body.examples_in else record
    return JobStarted(job_id=space.similar.start(record, examples_in, body.annotation_ids))


@router.post("/images/{image_id}/label-suggestion")
async def suggest_label(
    body: LabelSuggestionRequest, request: Request, record: SharedImage, space: Space
) -> LabelSuggestion:
    """The label of the kept objects that a mask looks like, if that is clear. Only images that are encoded count."""
    pending = await run_in_threadpool(
        lambda: space.suggestions.suggest(record, body.mask.rle(record.height, record.width))
    )
    vectors = await result_of(request, pending.future)
    return LabelSuggestion(label_id=await run_in_threadpool(pending.finish, vectors))
