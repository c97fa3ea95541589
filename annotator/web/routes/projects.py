"""Routes of projects."""

from __future__ import annotations

from fastapi import APIRouter

from annotator import types
from annotator.web.auth import User
from annotator.web.deps import Space
from annotator.web.schemas.projects import NewProject, Project

router = APIRouter(tags=["projects"])


@router.get("/projects", response_model=list[Project])
def projects(user: User, space: Space) -> list[types.Project]:
    """The user's projects."""
    space.home(user)
    return space.store.projects(user)


@router.post("/projects", response_model=Project)
def create_project(new: NewProject, user: User, space: Space) -> types.Project:
    """Start a project."""
    return space.store.create_project(new.name, user)
