"""Routes of prompts, objects, their history, and automatic masks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from annotator.serving.automask_jobs import AutomaskJob
from annotator.web.auth import User
from annotator.web.deps import (
    OwnImage,
    Space,
    document_schema,
    image_of,
)
from annotator.web.schemas import automask as a
from annotator.web.schemas import objects as o
from annotator.workspace.views import Refinement, View

router = APIRouter()


# --- prompting ---


@router.post("/images/{image_id}/prompt", response_model=o.PromptAnswer)
def prompt(body: o.PromptRequest, record: OwnImage, user: User, space: Space) -> Response:
    """Masks for the points and box of one object."""
    refine = Refinement(body.refine.token, body.refine.index) if body.refine else None
    hover = f"{user}:{body.client}:{record.id}" if body.kind == "hover" else None
    view = View(**body.view.model_dump()) if body.view else None
    start = body.mask.rle(record.height, record.width) if body.mask else None
    answer = o.PromptAnswer.of(*space.prompt(record, body.prompt(), refine, start, hover, view))
    spans = answer.timing.model_dump(exclude_none=True)
    header = ", ".join(f"{name};dur={value:.2f}" for name, value in spans.items())
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Server-Timing": header})


# --- annotations ---


@router.post("/images/{image_id}/annotations")
def keep(new: o.NewAnnotation, record: OwnImage, space: Space) -> o.Kept:
    """Keep an object."""
    mask = new.mask.rle(record.height, record.width)
    prompts = new.prompts.model_dump()
    kept, journal = space.annotations.keep(record, new.label_id, mask, new.score, new.source, prompts, new.request_id)
    return o.Kept(annotation=o.Annotation.of(kept), history=o.History.of(journal))


@router.patch("/images/{image_id}/annotations/{annotation_id}")
def update(annotation_id: str, change: o.AnnotationChange, record: OwnImage, space: Space) -> o.Corrected:
    """Relabel or correct an object."""
    fields = change.fields(record.height, record.width)
    kept, before, journal = space.annotations.update(record, annotation_id, fields, change.request_id)
    replaced = o.Mask.of(before.mask) if before and "mask" in fields else None
    return o.Corrected(annotation=o.Annotation.of(kept), history=o.History.of(journal), replaced=replaced)


@router.post("/images/{image_id}/annotations/delete")
def delete(body: o.Objects, record: OwnImage, space: Space) -> o.Changed:
    """Delete objects."""
    return o.Changed(history=o.History.of(space.annotations.delete(record, body.ids, body.request_id)))


@router.post("/images/{image_id}/annotations/relabel")
def relabel(body: o.Relabel, record: OwnImage, space: Space) -> o.Changed:
    """Give objects another label."""
    history = space.annotations.relabel(record, body.ids, body.label_id, body.request_id)
    return o.Changed(history=o.History.of(history))


@router.post("/images/{image_id}/annotations/merge")
def merge(body: o.Objects, record: OwnImage, space: Space) -> o.Document:
    """Merge objects into the first one."""
    space.annotations.merge(record, body.ids, body.request_id)
    return document_schema(space, record)


@router.post("/images/{image_id}/annotations/split")
def split(body: o.Objects, record: OwnImage, space: Space) -> o.Document:
    """Split objects into their parts."""
    space.annotations.split(record, body.ids, body.request_id)
    return document_schema(space, record)


@router.post("/images/{image_id}/annotations/clean")
def clean(body: o.Clean, record: OwnImage, space: Space) -> o.Document:
    """Fill holes and drop specks of objects."""
    space.annotations.clean(record, body.ids, body.fill_holes, body.drop_specks, body.request_id)
    return document_schema(space, record)


@router.post("/images/{image_id}/undo")
def undo(record: OwnImage, space: Space, body: o.Walk | None = None) -> o.Document:
    """Take the last change of this image back."""
    space.store.undo(record.id, body.revision if body else None)
    return document_schema(space, record)


@router.post("/images/{image_id}/redo")
def redo(record: OwnImage, space: Space, body: o.Walk | None = None) -> o.Document:
    """Repeat the change that was taken back last."""
    space.store.redo(record.id, body.revision if body else None)
    return document_schema(space, record)


# --- automatic masks ---


@router.post("/images/{image_id}/automask")
def start_automask(body: a.AutomaskRequest, record: OwnImage, space: Space) -> a.JobStarted:
    """Start proposing masks."""
    return a.JobStarted(job_id=space.start_automask(record, body.points_per_side, body.region).id)


def job_of(job_id: str, user: User, space: Space) -> AutomaskJob:
    """The run of the route, if its image is the user's."""
    found = space.jobs.get(job_id)
    image_of(found.image_id, user, space)
    return found


OwnJob = Annotated[AutomaskJob, Depends(job_of)]


@router.get("/jobs/{job_id}")
def job(job: OwnJob) -> a.Job:
    """How far a run is, and its proposals once it ended."""
    return a.Job.of(job)


@router.delete("/jobs/{job_id}")
def cancel_job(job: OwnJob) -> dict[str, Any]:
    """Cancel a run; what it found so far can be reviewed, and /resume goes on with it."""
    job.cancel()
    return {}


@router.post("/jobs/{job_id}/resume")
def resume_job(job: OwnJob, user: User, space: Space) -> a.Job:
    """Go on with a run that was cancelled or failed."""
    if job.state in ("cancelled", "failed"):
        space.resume_automask(image_of(job.image_id, user, space), job)
    return a.Job.of(job)


@router.post("/images/{image_id}/automask/accept")
def accept(body: a.AcceptProposals, record: OwnImage, space: Space) -> o.Document:
    """Keep proposals as objects, or as one object of several parts."""
    run = space.jobs.get(body.job_id)
    space.annotations.accept(record, run, body.indices, body.label_id, body.merge, body.request_id)
    return document_schema(space, record)
