"""What the routes share: the workspace, the records a route names if the user has the right to them, and replies."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from annotator import types
from annotator.web.auth import Viewer
from annotator.web.schemas.annotations import Annotation, Document, History
from annotator.web.schemas.images import Image
from annotator.workspace.workspace import Workspace


async def workspace_of(request: Request) -> Workspace:
    """The workspace this server was made for."""
    workspace: Workspace = request.app.state.workspace
    return workspace


Space = Annotated[Workspace, Depends(workspace_of)]


def project_of(project_id: int, viewer: Viewer, space: Space) -> types.Project:
    """The project of the route, if the user may annotate it."""
    return space.store.project(project_id, viewer, "annotate")


def own_project_of(project_id: int, viewer: Viewer, space: Space) -> types.Project:
    """The project of the route, if the user owns it."""
    return space.store.project(project_id, viewer, "own")


def image_of(image_id: str, viewer: Viewer, space: Space) -> types.ImageRecord:
    """The image of the route, if the user may annotate it."""
    return space.store.image(image_id, viewer, "annotate")


def reviewed_image_of(image_id: str, viewer: Viewer, space: Space) -> types.ImageRecord:
    """The image of the route, if the user may review it."""
    return space.store.image(image_id, viewer, "review")


def own_image_of(image_id: str, viewer: Viewer, space: Space) -> types.ImageRecord:
    """The image of the route, if the user owns its project."""
    return space.store.image(image_id, viewer, "own")


def label_of(label_id: int, viewer: Viewer, space: Space) -> types.Label:
    """The label of the route, if the user may annotate its project."""
    return space.store.label(label_id, viewer, "annotate")


def own_label_of(label_id: int, viewer: Viewer, space: Space) -> types.Label:
    """The label of the route, if the user owns its project."""
    return space.store.label(label_id, viewer, "own")


SharedProject = Annotated[types.Project, Depends(project_of)]
SharedImage = Annotated[types.ImageRecord, Depends(image_of)]
SharedLabel = Annotated[types.Label, Depends(label_of)]
ReviewedImage = Annotated[types.ImageRecord, Depends(reviewed_image_of)]
OwnProject = Annotated[types.Project, Depends(own_project_of)]
OwnImage = Annotated[types.ImageRecord, Depends(own_image_of)]
OwnLabel = Annotated[types.Label, Depends(own_label_of)]


def image_reply(space: Workspace, record: types.ImageRecord, annotations: int) -> Image:
    """The image as JSON, with its number of objects."""
    segmenter = space.segmenter
    embedding: Literal["ready", "none", "failed"] = "ready" if segmenter.has_embedding(record.pixel_key) else "none"
    if embedding == "none" and segmenter.encoding_error(record.pixel_key):
        embedding = "failed"
    return Image.of(record, embedding, annotations)


def counted_image(space: Workspace, record: types.ImageRecord) -> Image:
    """The image as JSON, its objects counted."""
    return image_reply(space, record, space.store.annotation_counts([record.id])[record.id])


def document_reply(space: Workspace, document: types.Document) -> Document:
    """The image with its objects and history as JSON."""
    return Document(
        image=image_reply(space, document.image, len(document.annotations)),
        annotations=[Annotation.model_validate(each) for each in document.annotations],
        history=History.model_validate(document.history),
    )


def tagged(request: Request, reply: BaseModel) -> Response:
    """The reply with an ETag made of its content, or 304 without a body if the client has it already."""
    body = reply.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
