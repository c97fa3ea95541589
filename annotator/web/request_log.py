"""An id for every request, and what became of it: a log line and metrics."""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator import logs
from annotator.web.metrics import REQUEST_SECONDS, REQUESTS

HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""Ids that a proxy may give: nothing in them can break a log line."""

_STREAM = "events"
"""The route that lasts as long as a page is open: that is no time of an answer."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestLog:
    """ASGI middleware around everything else, so that refusals count too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; send its id with the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        status, started = "none", time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = logs.request_id.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - started)
            logs.request_id.reset(token)


def _record(scope: Scope, status: str, seconds: float) -> None:
    """Labels are from short lists: no path and no made-up method becomes one. A route is told by its function."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = getattr(scope.get("route"), "name", "other")
    REQUESTS.labels(method, route, status).inc()
    if route != _STREAM:
        REQUEST_SECONDS.labels(method, route).observe(seconds)
    fields = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(seconds * 1e3, 2)}
    logs.requests.info("%s %s %s", scope["method"], scope["path"], status, extra={"fields": fields})
