"""Routes of projects."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter

from annotator import types
from annotator.types import ImageStatus
from annotator.web.auth import User, Viewer
from annotator.web.deps import OwnProject, SharedProject, Space
from annotator.web.schemas.projects import Contribution, LabelCount, NewProject, Project, ProjectChange, Summary

router = APIRouter(tags=["projects"])


@router.get("/projects")
def projects(user: User, viewer: Viewer, space: Space, removed: bool = False) -> list[Project]:
    """The user's projects, or those that were removed and can be restored."""
    space.home(user)
    rights = space.store.rights(user) if viewer else {}  # an admin may do everything
    found = [Project.model_validate(each) for each in space.store.projects(viewer, removed)]
    return [each.model_copy(update={"right": rights.get(each.id, "own")}) for each in found]


@router.post("/projects", response_model=Project, status_code=201)
def create_project(new: NewProject, user: User, space: Space) -> types.Project:
    """Start a project."""
    return space.store.create_project(new.name, user)


@router.get("/projects/{project_id}/summary")
def summary(project: SharedProject, space: Space) -> Summary:
    """How far the images are, how many objects each label has, and who did what."""
    counts = space.store.summary(project.id)
    return Summary(
        images={status: counts.images.get(status, 0) for status in get_args(ImageStatus)},
        labels=[
            LabelCount(label_id=each.id, objects=counts.objects.get(each.id, 0))
            for each in space.store.labels(project.id)
        ],
        people=[Contribution.model_validate(each) for each in counts.people],
    )


@router.patch("/projects/{project_id}", response_model=Project)
def rename_project(change: ProjectChange, project: OwnProject, space: Space) -> types.Project:
    """Give the project another name."""
    return space.store.rename_project(project.id, change.name)


@router.delete("/projects/{project_id}", response_model=Project)
def remove_project(project: OwnProject, space: Space) -> types.Project:
    """Remove the project with its images; /restore brings it back until it is purged."""
    return space.store.remove_project(project.id)


@router.post("/projects/{project_id}/restore", response_model=Project)
def restore_project(project_id: int, viewer: Viewer, space: Space) -> types.Project:
    """Bring a removed project back."""
    return space.store.restore_project(space.store.project(project_id, viewer, removed=True).id)
