"""Who is asking. One dependency for every route, shared with the page; today everybody is the one local user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

LOCAL_USER = "local"
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def current_user(request: Request) -> str:
    """The workspace's user name."""
    return LOCAL_USER


User = Annotated[str, Depends(current_user)]


def is_known_host(request: Request, allowed: Sequence[str]) -> bool:
    """True if the request names one of the `allowed` hosts ('*' for any), whatever the port."""
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname
    return "*" in allowed or name in allowed


def is_foreign_origin(request: Request) -> bool:
    """True for a state-changing request that a page of another site sent through the user's browser."""
    origin = request.headers.get("origin")
    if request.method in _SAFE_METHODS or origin is None:
        return False
    return urlsplit(origin).netloc != request.headers.get("host")
