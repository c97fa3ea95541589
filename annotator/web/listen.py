"""Listening on a port: the same for `annotator serve` and `python app.py`."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from annotator.settings import Settings
from annotator.web.protocol import PatientProtocol

DRAIN_SECONDS = 8
"""What is being answered when the server is stopped may take so long. Docker waits for ten seconds by default."""


def listen(app: ASGIApp, settings: Settings) -> None:
    """Serve until stopped. Then no connection is taken any more, and what is being answered is finished."""
    # Without a configuration of its own, uvicorn logs as everything else does.
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        log_level="warning",
        http=PatientProtocol,
        proxy_headers=not settings.proxy_user_header,  # who is trusted depends on the proxy's own address
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
