"""Images as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from annotator import types
from annotator.types import ImageStatus, Verdict, WorkStatus

Client = Annotated[str, Field(min_length=8, max_length=64, pattern="^[ -~]*$", examples=["5f0c9a71e2b84d36"])]
"""Chosen by a browser tab, or a script, for itself: it names who has an image open."""


class Image(BaseModel):
    """An image of a project, upright. Its addresses are relative to the page's, so they hold behind any proxy."""

    id: str
    project_id: int
    ordinal: int
    name: str
    width: int
    height: int
    orientation: int
    stretched: bool
    status: ImageStatus
    reviewer: str | None
    review_comment: str | None
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
            ordinal=record.ordinal,
            name=record.name,
            width=record.width,
            height=record.height,
            orientation=record.orientation,
            stretched=record.stretched,
            status=record.status,
            reviewer=record.reviewer,
            review_comment=record.review_comment,
            embedding=embedding,
            url=f"api/v1/images/{record.id}/pixels",
            thumbnail_url=f"api/v1/images/{record.id}/thumbnail",
            annotations=annotations,
        )


class ImagePage(BaseModel):
    """A page of a project's images. `next` is what to ask for `after` this page; null when it is the last one.

    `version` is that of the project: the events after it tell what changed since.
    """

    total: int
    images: list[Image]
    next: str | None
    version: int


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

    status: WorkStatus


class Review(BaseModel):
    """What a reviewer says. A rejection needs a comment. With `revision`, only if the image still has this one."""

    verdict: Verdict
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    revision: int | None = None


class NextRequest(BaseModel):
    """Who asks for an image: this client has it open then. The search begins `after` an image."""

    client: Client
    after: str | None = None


class NextImage(BaseModel):
    """The next free image; null if there is none."""

    image: Image | None


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
    """Images likely to be opened next, to be encoded in the background. With `client`, others see who has it open."""

    upcoming: Annotated[list[str], Field(max_length=4)] = []
    client: Client | None = None
