"""What happens to every request before a route sees it: limits, foreign pages, unexpected errors, security headers."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotator.settings import MIB, Settings
from annotator.web.policy import content_policy

log = logging.getLogger(__name__)

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_MAX_FILES_PER_UPLOAD = 16  # of the largest size allowed; any number of small ones
_MAX_JSON_BYTES = 64 * MIB
"""A mask may have four million runs."""
_MAX_LOGIN_BYTES = 64 * 1024
"""Of what somebody may send who is not logged in."""
OPEN = frozenset({"/login", "/api/v1/session"})
"""Where somebody logs in."""

_OURS = re.compile(r"/(api|page|docs)(/.*)?|/openapi\.json|/(login|logout|healthz|readyz|metrics)")
_GRADIO = re.compile(r"/(|config|theme\.css|manifest\.json|favicon\.ico|(assets|static|svelte)/.*)")
"""What the page loads of Gradio. Its other routes take files, run events or fetch addresses."""
_ENDPOINTS = re.compile(r"/gradio_api/(info|openapi\.json|queue/(join|data)|call/(v2/)?\w+(/\w+)?|cancel|mcp(/.*)?)/?")
"""Calls of the endpoints of `endpoints.py`; none of them takes a file."""

_SECURITY_HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}


def error_response(
    status: int, text: str, field: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Every failure looks like this, a problem document of RFC 9457; `field` is the offending input if there is one."""
    problem = {"type": "about:blank", "title": _title(status), "status": status, "detail": text, "field": field}
    return JSONResponse(problem, status, headers, media_type="application/problem+json")


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


class KnownHosts:
    """ASGI middleware that keeps out pages that rebind their own name to this machine."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app, self._names = app, list(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer a request to a known name. Starlette decides; the refusal says what to do."""
        is_known = False

        async def answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
            nonlocal is_known
            is_known = True

        async def drop(_: Message) -> None:
            pass

        await TrustedHostMiddleware(answer, self._names, www_redirect=False)(scope, receive, drop)
        if is_known:
            await self._app(scope, receive, send)
        else:
            text = "The server does not answer to the name in this address; ANNOTATOR_ALLOWED_HOSTS can add names."
            await error_response(400, text)(scope, receive, send)


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._max_upload = _MAX_FILES_PER_UPLOAD * int(settings.max_upload_bytes)
        self._public_origin = "/".join(settings.public_url.split("/")[:3])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request here, or let the application do it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # nothing of the page uses WebSockets
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._max_upload if headers.get("content-type", "").startswith("multipart/") else _MAX_JSON_BYTES
        if scope["path"] in OPEN:
            limit = _MAX_LOGIN_BYTES
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                sent = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    sent.setdefault(name, value)
            await send(message)

        if (refusal := self._refusal(scope, headers, limit)) is not None:
            await refusal(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, _limited(receive, limit), send_with_headers)
        except Exception:
            # Caught here, the connection stays open for the client's next request.
            log.exception("%s %s failed.", scope["method"], scope["path"])
            if started:
                raise
            text = "Something went wrong on the server. Its log has the details."
            await error_response(500, text)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers, limit: int) -> JSONResponse | None:
        path, is_safe = scope["path"], scope["method"] in _SAFE_METHODS
        is_ours = _OURS.fullmatch(path) or _ENDPOINTS.fullmatch(path)
        if not (is_ours or (is_safe and _GRADIO.fullmatch(path))):
            return error_response(404, "There is nothing here.")
        if self._is_foreign(scope["method"], headers):
            return error_response(403, "This request came from another site's page and was refused.")
        length = headers.get("content-length", "0")
        return None if length.isdigit() and int(length) <= limit else error_response(413, _too_large(limit))

    def _is_foreign(self, method: str, headers: Headers) -> bool:
        """True for a state-changing request that a page of another site sent through the user's browser."""
        origin = headers.get("origin")
        if method in _SAFE_METHODS or origin == self._public_origin:
            return False
        if origin is None:
            return headers.get("sec-fetch-site") == "cross-site"
        return urlsplit(origin).netloc != headers.get("host")


def _limited(receive: Receive, limit: int) -> Receive:
    """Counts what arrives, for bodies that do not tell their length."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, _too_large(limit))
        return message

    return receive_limited


def _too_large(limit: int) -> str:
    return f"One request may take {limit // MIB} MiB; send fewer files at a time."
