"""Routes that answer prompts. They wait without holding a thread, and give up when the client has gone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from annotator.errors import Busy
from annotator.serving.segmenter import Refinement
from annotator.types import ImageRecord
from annotator.web.auth import User
from annotator.web.deps import OwnImage, Space
from annotator.web.schemas.prompts import PromptAnswer, PromptRequest, PromptsAnswer, PromptsRequest
from annotator.web.waiting import result_of
from annotator.workspace.prompting import PendingAnswer
from annotator.workspace.views import View
from annotator.workspace.workspace import Workspace

router = APIRouter(tags=["prompts"])

_PLACES = 48
"""Requests for masks at a time. nano answers as many in less than two seconds on two cores."""


async def take_a_place(request: Request) -> AsyncIterator[None]:
    """One of the places of requests for masks; those beyond them are refused before they cost anything. Raises Busy."""
    state = request.app.state
    waiting = getattr(state, "waiting_prompts", 0)
    if waiting >= _PLACES:
        raise Busy("Too many clicks are waiting for the model; try again in a moment.", retry_after=2)
    state.waiting_prompts = waiting + 1
    try:
        yield
    finally:
        state.waiting_prompts -= 1


@router.post("/images/{image_id}/prompt", response_model=PromptAnswer, dependencies=[Depends(take_a_place)])
async def prompt(body: PromptRequest, request: Request, record: OwnImage, user: User, space: Space) -> Response:
    """Masks for the points and box of one object."""
    pending = await run_in_threadpool(_ask, body, record, user, space)
    answer = await result_of(request, pending.future)
    return await run_in_threadpool(lambda: _reply(PromptAnswer.of(pending.finish(answer))))


@router.post("/images/{image_id}/prompts", response_model=PromptsAnswer, dependencies=[Depends(take_a_place)])
async def prompt_many(body: PromptsRequest, request: Request, record: OwnImage, space: Space) -> Response:
    """One mask for each of many objects, decoded in one batch."""
    prompts = [each.prompt() for each in body.objects]
    source = space.images.source(record)
    candidates = await result_of(request, await run_in_threadpool(space.prompting.prompt_many, source, prompts))
    reply = await run_in_threadpool(lambda: PromptsAnswer.of(candidates).model_dump_json())
    return Response(reply, media_type="application/json")


def _ask(body: PromptRequest, record: ImageRecord, user: str, space: Workspace) -> PendingAnswer:
    refine = Refinement(body.refine.token, body.refine.index) if body.refine else None
    start = body.mask.rle(record.height, record.width) if body.mask else None
    hover = f"{user}:{body.client}:{record.id}" if body.kind == "hover" else None
    view = View(**body.view.model_dump()) if body.view else None
    return space.prompting.prompt(record, body.prompt(), refine, start, hover, view)


def _reply(answer: PromptAnswer) -> Response:
    spans = answer.timing.model_dump(exclude_none=True)
    timing = ", ".join(f"{name};dur={value:.2f}" for name, value in spans.items())
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Server-Timing": timing})
