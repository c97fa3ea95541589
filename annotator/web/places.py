"""A limit on requests for masks at a time: those beyond it are refused before anything is read or looked up."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.web.guard import error_response
from annotator.web.routes.api import router

PLACES = 48
"""nano answers as many in less than two seconds on two cores."""

_RETRY_SECONDS = 2
_PROMPT = re.compile(rf"{router.prefix}/images/[^/]+/prompts?")


class PromptPlaces:
    """ASGI middleware. A refusal takes a tenth of what it takes in a route, so a flood of clicks stops nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request here if all places are taken, else let the application do it."""
        if scope["type"] != "http" or not _PROMPT.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._taken >= PLACES:
            text = "Too many clicks are waiting for the model; try again in a moment."
            headers = {"Retry-After": str(_RETRY_SECONDS)}
            await error_response(503, text, headers=headers)(scope, receive, send)
            return
        self._taken += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._taken -= 1
