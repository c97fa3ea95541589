"""The stream of a project's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.types import Receive, Scope, Send

from annotator.errors import NotLoggedIn
from annotator.types import Account, ProjectVersion
from annotator.web.auth import User, Viewer
from annotator.web.deps import SharedProject, Space
from annotator.web.schemas.images import Client
from annotator.web.streams import Listener, Streams

router = APIRouter(tags=["projects"])

Version = Annotated[int | None, Field(ge=0, lt=2**63)]

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second one tells nginx to pass each event on at once."""


class _EventStream(StreamingResponse):
    """What a listener is told. However the answer ends, the listener is removed."""

    def __init__(self, streams: Streams, listener: Listener) -> None:
        super().__init__(streams.add(listener), media_type="text/event-stream", headers=_HEADERS)
        self._streams, self._listener = streams, listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.remove(self._listener)


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
    after: Version = None,
    client: Client | None = None,
    last_event_id: Annotated[Version, Header()] = None,
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

    since = after if last_event_id is None else last_event_id
    version = None if since is None else ProjectVersion(since, since, since)
    if client is not None:
        await run_in_threadpool(space.store.leave_others, project.id, user, client)
    return _EventStream(streams, Listener(project.id, user, may_listen, client, version))
