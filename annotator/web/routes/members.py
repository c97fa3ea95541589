"""Routes of the members of a project."""

from __future__ import annotations

from fastapi import APIRouter

from annotator import types
from annotator.web.deps import OwnProject, SharedProject, Space
from annotator.web.schemas.users import Member, MemberRole

router = APIRouter(tags=["users"])


@router.get("/projects/{project_id}/members", response_model=list[Member])
def members(project: SharedProject, space: Space) -> list[types.Member]:
    """With whom the project is shared."""
    return space.store.members(project.id)


@router.put("/projects/{project_id}/members/{name}", response_model=Member)
def share(name: str, body: MemberRole, project: OwnProject, space: Space) -> types.Member:
    """Share the project with a user, or give a member another role."""
    return space.store.save_member(project.id, name.strip().lower(), body.role)


@router.delete("/projects/{project_id}/members/{name}", status_code=204)
def unshare(name: str, project: OwnProject, space: Space) -> None:
    """Share the project with a member no longer."""
    space.store.remove_member(project.id, name.strip().lower())
