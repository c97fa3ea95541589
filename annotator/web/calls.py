"""Whose a call of Gradio's queue is: its events and its end are for the user who began it.

Clients choose the names of their sessions, and Gradio lets whoever names one read it. A session belongs to the user
who was the first to use its name; a call without one is known by its own id.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

from cachetools import LRUCache
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator.web.guard import error_response

_READ = re.compile(r"/gradio_api/(?:queue/data|call/(?:v2/)?\w+/(\w+))/?")
_CANCEL = "/gradio_api/cancel"
_REMEMBERED = 10_000
_UNKNOWN = "There is no such call."


class Calls:
    """The users of sessions and calls, for one queue of Gradio."""

    def __init__(self) -> None:
        self._owners: LRUCache[str, str] = LRUCache(_REMEMBERED)
        self._queue: Any = None

    def watch(self, queue: Any) -> None:
        """Note who begins calls in Gradio's queue."""
        self._queue, push = queue, queue.push

        async def noted_push(body: Any, request: Any, username: str | None) -> tuple[bool, Any, str]:
            user, session = str(username), body.session_hash
            if session and not self.belongs(session, user, unknown=True):
                return False, "This session is somebody else's.", "error"
            taken, event_id, state = await push(body=body, request=request, username=username)
            if taken:
                self._owners.update({name: user for name in (session, event_id) if name})
            return taken, event_id, state

        queue.push = noted_push

    def belongs(self, name: str, user: str, unknown: bool = False) -> bool:
        """Whether a session or call is the user's. `unknown` is the answer for one that nobody has begun."""
        owner = self._owners.get(name)
        return unknown if owner is None else owner == user

    def has_gone(self, session: str | None) -> bool:
        """Whether whoever waited for the calls of a session has closed the connection."""
        running = [
            event for events in self._queue.active_jobs for event in events or () if event.session_hash == session
        ]
        return bool(running) and not any(event.alive for event in running)


class OwnCalls:
    """ASGI middleware that lets users read and cancel their own calls only."""

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        self._app, self._calls = app, calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, or say that there is no such call."""
        path = scope["path"] if scope["type"] == "http" else ""
        names: list[str] | None = None
        if path == _CANCEL:
            names, receive = await _cancelled(scope, receive)
        elif scope["type"] == "http" and scope["method"] != "POST" and (found := _READ.fullmatch(path)):
            names = (
                [found[1]] if found[1] else parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
            )
        if names is None or all(self._calls.belongs(each, scope["state"]["user"]) for each in names):
            await self._app(scope, receive, send)
        else:
            await error_response(404, _UNKNOWN)(scope, receive, send)


async def _cancelled(scope: Scope, receive: Receive) -> tuple[list[str], Receive]:
    """The session and the call that a request names, and its body once more for whoever reads it next."""
    body = await Request(scope, receive).body()
    try:
        named = json.loads(body)
        names = [str(named[field]) for field in ("session_hash", "event_id") if named.get(field)]
    except (ValueError, AttributeError):
        names = []

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return names, again
