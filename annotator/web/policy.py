"""The Content-Security-Policy: scripts of this server's own files, and of the pages themselves, run; no others.

Gradio's page holds scripts, and so does that of the routes' description. They are the server's, and name no user's
text, so each of them is allowed by its hash. Whatever is put into a page later has none.
"""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REST = (
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_HEADER = "Content-Security-Policy"
_PAGES = ("/", "/docs")
_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


def content_policy(page: bytes = b"") -> str:
    """The policy for an answer; the scripts that stand in `page` may run."""
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page)]
    scripts = " ".join(["'self'", *(f"'sha256-{each}'" for each in dict.fromkeys(hashes))])
    return f"default-src 'self'; script-src {scripts}; {_REST}"


class PagePolicy:
    """ASGI middleware that gives the pages their policies. All other answers get the guard's, without any hash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; a page is sent when it is complete, since its policy stands before it."""
        if scope["type"] != "http" or scope["path"] not in _PAGES:
            await self._app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        start: Message = {}
        page = b""

        async def collect(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                page += message.get("body", b"")
                if not message.get("more_body", False):
                    if Headers(raw=start["headers"]).get("content-type", "").startswith("text/html"):
                        headers = MutableHeaders(scope=start)
                        headers[_HEADER] = content_policy(page)
                        headers["Cache-Control"] = "no-store"  # going back after logging out asks the server
                    await send(start)
                    await send({"type": "http.response.body", "body": page})

        await self._app({**scope, "headers": plain}, receive, collect)
