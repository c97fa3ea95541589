"""The stream of a project's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from annotator.errors import NotLoggedIn
from annotator.types import Account, ProjectVersion
from annotator.web.auth import User, Viewer
from annotator.web.deps import SharedProject, Space
from annotator.web.schemas.images import Client
from annotator.web.streams import Listener, Streams

router = APIRouter(tags=["projects"])

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second one tells nginx to pass each event on at once."""


@router.get(
    "/projects/{project_id}/events",
    response_class=StreamingResponse,
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
)
async def events(
    request: Request,
    project: SharedProject,
    user: User,
    viewer: Viewer,
    space: Space,
    after: int | None = None,
    client: Client | None = None,
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """What others change in the project, as it happens: each event's data is a `ProjectEvent`, its id a version.

    It begins `after` a version, or after `Last-Event-ID`, which a browser sends when it connects again. While a
    `client` listens, the image it has opened is taken. The stream ends when the user may no longer see the project,
    or is no longer logged in.
    """
    streams: Streams = request.app.state.streams
    identify: Callable[[], Account | None] | None = getattr(request.state, "identify", None)

    def may_listen() -> None:
        still = viewer
        if identify is not None:
            account = identify()
            if account is None or account.name != user:
                raise NotLoggedIn("The login has ended.")
            still = None if account.is_admin else user
        space.store.project(project.id, still, "annotate")

    since = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else after
    version = None if since is None else ProjectVersion(since, since, since)
    if client is not None:
        await run_in_threadpool(space.store.leave_others, project.id, user, client)
    stream = streams.add(Listener(project.id, user, may_listen, client, version))
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)
