"""Limits on how often one user, or one address, may ask for what costs much."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from cachetools import LRUCache
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.serving.segmenter import caller
from annotator.web.guard import error_response
from annotator.web.metrics import REJECTIONS
from annotator.web.routes.api import router

_REMEMBERED = 10_000


class RateLimit:
    """So many requests a second for each key, and `burst` at once: the generic cell rate algorithm (ITU-T I.371)."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._interval, self._tolerance, self._clock = 1 / per_second, (burst - 1) / per_second, clock
        self._due: LRUCache[str, float] = LRUCache(_REMEMBERED)  # when the next request would come at an even pace

    def wait(self, key: str) -> float:
        """The seconds until a request may be made, 0 if it may be now. Only in that case it is counted."""
        now = self._clock()
        due = max(self._due.get(key, now), now)
        if (early := due - now - self._tolerance) > 1e-9:
            return early
        self._due[key] = due + self._interval
        return 0.0


class Route(NamedTuple):
    """Requests of one kind, told by method and path, which are counted together."""

    name: str
    request: re.Pattern[str]
    limit: RateLimit


def all_routes() -> list[Route]:
    """What is limited, so that a pointer that never rests (33 hovers a second) or a folder that is added is not."""
    api = re.escape(router.prefix)
    limits = {
        "logins": (rf"POST (/login|{api}/session)", 1, 100),  # an office may share an address
        "clicks": (rf"POST {api}/images/[^/]+/prompts?", 100, 1000),
        "uploads": (rf"POST {api}/projects/[^/]+/(images|folder-images|samples|import(/.*)?|boxes)", 50, 500),
        "runs": (rf"POST {api}/(images/[^/]+/(automask|similar)|jobs/[^/]+/resume)", 2, 60),
        "exports": (
            rf"(GET {api}/(projects/[^/]+/export/.*|exports/[^/]+/file)|POST {api}/projects/[^/]+/exports/.*)",
            2,
            60,
        ),
        "summaries": (rf"GET {api}/projects/[^/]+/summary", 2, 60),
        "opened images": (rf"POST {api}/(images/[^/]+/open|projects/[^/]+/next-image)", 50, 500),
        "calls": (r"POST /gradio_api/(queue/join|call/.*|mcp(/.*)?)", 10, 100),
    }
    return [Route(name, re.compile(path), RateLimit(rate, burst)) for name, (path, rate, burst) in limits.items()]


class RateLimits:
    """ASGI middleware around the routes, inside `Authentication`, which tells who asks."""

    def __init__(self, app: ASGIApp, routes: list[Route] | None = None) -> None:
        self._app, self._routes = app, all_routes() if routes is None else routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer the request, or say when to come again."""
        if scope["type"] == "http":
            asked = f"{scope['method']} {scope['path']}"
            route = next((each for each in self._routes if each.request.fullmatch(asked)), None)
            if route is not None and (seconds := route.limit.wait(caller.get())):
                REJECTIONS.labels("rate").inc()
                text = f"Too many {route.name} in a short time: try again in {math.ceil(seconds)} s."
                headers = {"Retry-After": str(math.ceil(seconds))}
                await error_response(429, text, headers=headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)
