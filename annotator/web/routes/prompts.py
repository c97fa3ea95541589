"""Routes that answer prompts. They wait without holding a thread, and give up when the client has gone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from annotator.serving.segmenter import Refinement, caller
from annotator.types import Candidate
from annotator.web.auth import User, Viewer
from annotator.web.deps import Space, image_of
from annotator.web.schemas.prompts import PromptAnswer, PromptRequest, PromptsAnswer, PromptsRequest
from annotator.web.waiting import result_of
from annotator.workspace.prompting import PendingAnswer
from annotator.workspace.views import View
from annotator.workspace.workspace import Workspace

T = TypeVar("T")

router = APIRouter(tags=["prompts"])

_SECONDS_FOR_MANY = 600.0

_THREADS = CapacityLimiter(4)
"""Threads that prepare prompts and write answers. Python runs one at a time anyway, and other routes have the rest."""

_OF_ONE_USER = 2
"""Of these threads."""

_limiters: WeakValueDictionary[str, CapacityLimiter] = WeakValueDictionary()


@router.post("/images/{image_id}/prompt", response_model=PromptAnswer)
async def prompt(
    body: PromptRequest, request: Request, image_id: str, user: User, viewer: Viewer, space: Space
) -> Response:
    """Masks for the points and box of one object."""
    pending = await _in_thread(partial(_ask, body, image_id, user, viewer, space))
    answer = await result_of(request, pending.future)
    return await _in_thread(lambda: _reply(PromptAnswer.of(pending.finish(answer))))


@router.post("/images/{image_id}/prompts", response_model=PromptsAnswer)
async def prompt_many(body: PromptsRequest, request: Request, image_id: str, viewer: Viewer, space: Space) -> Response:
    """One mask for each of many objects, decoded in one batch."""
    prompts = [each.prompt() for each in body.objects]

    def ask() -> Future[list[Candidate]]:
        return space.prompting.prompt_many(space.images.source(image_of(image_id, viewer, space)), prompts)

    candidates = await result_of(request, await _in_thread(ask), _SECONDS_FOR_MANY)
    reply = await _in_thread(lambda: PromptsAnswer.of(candidates).model_dump_json())
    return Response(reply, media_type="application/json")


async def _in_thread(work: Callable[[], T]) -> T:
    user = caller.get()
    if (limiter := _limiters.get(user)) is None:
        limiter = _limiters[user] = CapacityLimiter(_OF_ONE_USER)
    async with limiter:
        return await run_sync(work, limiter=_THREADS)


def _ask(body: PromptRequest, image_id: str, user: str, viewer: str | None, space: Workspace) -> PendingAnswer:
    record = image_of(image_id, viewer, space)
    refine = Refinement(body.refine.token, body.refine.index) if body.refine else None
    start = body.mask.rle(record.height, record.width) if body.mask else None
    hover = f"{user}:{body.client}:{record.id}" if body.kind == "hover" else None
    view = View(**body.view.model_dump()) if body.view else None
    return space.prompting.prompt(record, body.prompt(), refine, start, hover, view)


def _reply(answer: PromptAnswer) -> Response:
    spans = answer.timing.model_dump(exclude_none=True)
    timing = ", ".join(f"{name};dur={value:.2f}" for name, value in spans.items())
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Server-Timing": timing})
