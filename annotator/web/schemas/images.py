"""Images as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from annotator import types
from annotator.types import ImageStatus


class Image(BaseModel):
    """An image of a project, upright. Its addresses are relative to the page's, so they hold behind any proxy."""

    id: str
    project_id: int
    name: str
    width: int
    height: int
    orientation: int
    stretched: bool
    status: ImageStatus
    embedding: Literal["ready", "none", "failed"]
    url: str
    thumbnail_url: str
    annotations: int

    @classmethod
    def of(cls, record: types.ImageRecord, embedding: Literal["ready", "none", "failed"], annotations: int) -> Image:
        """From the stored record."""
        return cls(
            id=record.id,
            project_id=record.project_id,
            name=record.name,
            width=record.width,
            height=record.height,
            orientation=record.orientation,
            stretched=record.stretched,
            status=record.status,
            embedding=embedding,
            url=f"api/v1/images/{record.id}/pixels",
            thumbnail_url=f"api/v1/images/{record.id}/thumbnail",
            annotations=annotations,
        )


class ImagePage(BaseModel):
    """A page of a project's images. `next` is what to ask for `after` this page; null when it is the last one."""

    total: int
    images: list[Image]
    next: str | None


class UploadError(BaseModel):
    """A file that was not taken, and why."""

    name: str
    error: str


class Uploaded(BaseModel):
    """What became of each uploaded file. `known` were in the project already, file and name."""

    images: list[Image]
    known: list[Image] = []
    errors: list[UploadError]


class ImageChange(BaseModel):
    """Fields of an image to set."""

    status: ImageStatus


class Sample(BaseModel):
    """A shipped photo."""

    name: str
    title: str
    thumbnail_url: str


class SampleChoice(BaseModel):
    """A shipped photo to add to a project."""

    name: Annotated[str, Field(max_length=types.MAX_NAME)]


class ServerFolder(BaseModel):
    """Paths of the image files in a folder of the server."""

    images: list[str]


class ServerFile(BaseModel):
    """An image file of the server to add to a project."""

    path: Annotated[str, Field(max_length=4096)]


class OpenRequest(BaseModel):
    """Images likely to be opened next, to be encoded in the background."""

    upcoming: Annotated[list[str], Field(max_length=4)] = []
