"""Who is asking. One dependency for every route, shared with the page; today everybody is the one local user."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

LOCAL_USER = "local"


async def current_user(request: Request) -> str:
    """The workspace's user name."""
    return LOCAL_USER


User = Annotated[str, Depends(current_user)]
