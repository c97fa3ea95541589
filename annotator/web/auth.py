"""Who is asking, for the routes. What `Authentication` has found out is in the state of the request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from annotator.errors import Forbidden
from annotator.types import LOCAL_USER


async def current_user(request: Request) -> str:
    """The name of the user."""
    name: str = request.state.user
    return name


User = Annotated[str, Depends(current_user)]


async def viewer(request: Request, user: User) -> str | None:
    """The user for whom projects are looked up: None for an admin, who has every right to all of them."""
    return None if getattr(request.state, "is_admin", False) else user


Viewer = Annotated[str | None, Depends(viewer)]


async def refuse_others_than_admins(viewer: Viewer) -> None:
    """Keeps what concerns everybody for admins, and for the one user where there is no login. Raises Forbidden."""
    if viewer not in (None, LOCAL_USER):
        raise Forbidden("Only an admin may do this.")
