"""What the routes share: the workspace, and the records a route names, if they are the user's."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from annotator import types
from annotator.errors import NotFound
from annotator.web.auth import User
from annotator.web.schemas import objects as o
from annotator.web.schemas import projects as s
from annotator.workspace.workspace import Workspace


def workspace_of(request: Request) -> Workspace:
    """The workspace this server was made for."""
    workspace: Workspace = request.app.state.workspace
    return workspace


Space = Annotated[Workspace, Depends(workspace_of)]


def project_of(project_id: int, user: User, space: Space) -> types.Project:
    """The project of the route, if it is the user's."""
    project = space.store.project(project_id)
    if project.owner != user:
        raise NotFound("There is no such project.")
    return project


def image_of(image_id: str, user: User, space: Space) -> types.ImageRecord:
    """The image of the route, if it is the user's."""
    record = space.store.image(image_id)
    project_of(record.project_id, user, space)
    return record


OwnProject = Annotated[types.Project, Depends(project_of)]
OwnImage = Annotated[types.ImageRecord, Depends(image_of)]


def image_schema(space: Workspace, record: types.ImageRecord, annotations: int) -> s.Image:
    """The image as JSON."""
    return s.Image.of(record, space.segmenter.has_embedding(record.pixel_key), annotations)


def counted_image(space: Workspace, record: types.ImageRecord) -> s.Image:
    """The image as JSON, its objects counted."""
    return image_schema(space, record, len(space.store.annotations(record.id)))


def document_schema(space: Workspace, record: types.ImageRecord) -> o.Document:
    """The image with its objects and history as JSON."""
    document = space.document(record)
    return o.Document(
        image=image_schema(space, document.image, len(document.annotations)),
        annotations=[o.Annotation.of(each) for each in document.annotations],
        history=o.History.of(document.history),
    )
