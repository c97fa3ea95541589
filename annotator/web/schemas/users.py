"""Users and members of projects as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from annotator.types import Role
from annotator.web.schemas.base import Reply
from annotator.workspace.accounts import MAX_PASSWORD


class Credentials(BaseModel):
    """What somebody logs in with."""

    name: Annotated[str, Field(max_length=100, examples=["ann"])]
    password: Annotated[str, Field(max_length=MAX_PASSWORD)]


class LoggedIn(BaseModel):
    """Who is logged in."""

    name: str
    is_admin: bool


class Member(Reply):
    """Somebody with whom a project is shared: an annotator changes objects, a reviewer also says what is done."""

    name: str
    role: Role


class MemberRole(BaseModel):
    """The role to give to a member."""

    role: Role
