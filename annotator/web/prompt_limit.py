"""A limit on each user's requests for masks at a time: those beyond it are refused before anything is looked up."""

from __future__ import annotations

import re
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.serving.segmenter import caller
from annotator.web.guard import error_response
from annotator.web.metrics import REJECTIONS
from annotator.web.routes.api import router

MOST = 48
"""Prompts of one user at a time. nano answers as many in less than two seconds on two cores."""

_RETRY_SECONDS = 2
_PROMPT = re.compile(rf"{router.prefix}/images/[^/]+/prompts?")


class PromptLimit:
    """ASGI middleware. A refusal takes a tenth of what it takes in a route, so a flood of clicks stops nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._waiting = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request here if too many wait, else let the application do it."""
        if scope["type"] != "http" or not _PROMPT.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        user = caller.get()
        if self._waiting[user] >= MOST:
            REJECTIONS.labels("prompts").inc()
            text = "Too many of your clicks are waiting for the model; try again in a moment."
            headers = {"Retry-After": str(_RETRY_SECONDS)}
            await error_response(503, text, headers=headers)(scope, receive, send)
            return
        self._waiting[user] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._waiting[user] -= 1
            if not self._waiting[user]:
                del self._waiting[user]
