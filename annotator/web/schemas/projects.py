"""Projects, labels, images and the server's status as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from annotator import types
from annotator.types import ImageStatus

Color = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Key = Annotated[str, Field(pattern="^[1-9]$")]


class Error(BaseModel):
    """Every failure: one sentence, and the offending input if there is one."""

    error: str
    field: str | None = None


class Project(BaseModel):
    """A project of the user."""

    id: int
    name: str


class NewProject(BaseModel):
    """A project to create."""

    name: Name


class Label(BaseModel):
    """A class of a project."""

    id: int
    project_id: int
    name: str
    color: str
    supercategory: str
    key: str | None


class NewLabel(BaseModel):
    """A label to create; the server picks colour and key if they are missing."""

    name: Name
    color: Color | None = None
    supercategory: Annotated[str, Field(max_length=100)] = ""
    key: Key | None = None


class LabelChange(BaseModel):
    """Fields of a label to set."""

    name: Name | None = None
    color: Color | None = None
    supercategory: Annotated[str, Field(max_length=100)] | None = None
    key: Key | None = None


class Image(BaseModel):
    """An image of a project, upright."""

    id: str
    project_id: int
    name: str
    width: int
    height: int
    orientation: int
    status: ImageStatus
    embedding: Literal["ready", "none"]
    url: str
    thumbnail_url: str
    annotations: int

    @classmethod
    def of(cls, record: types.ImageRecord, has_embedding: bool, annotations: int) -> Image:
        """From the stored record."""
        return cls(
            id=record.id,
            project_id=record.project_id,
            name=record.name,
            width=record.width,
            height=record.height,
            orientation=record.orientation,
            status=record.status,
            embedding="ready" if has_embedding else "none",
            url=f"/api/images/{record.id}/pixels",
            thumbnail_url=f"/api/images/{record.id}/thumbnail",
            annotations=annotations,
        )


class ImagePage(BaseModel):
    """A slice of a project's images."""

    total: int
    images: list[Image]


class UploadError(BaseModel):
    """A file that was not taken, and why."""

    name: str
    error: str


class Uploaded(BaseModel):
    """What became of each uploaded file."""

    images: list[Image]
    errors: list[UploadError]


class ImageChange(BaseModel):
    """Fields of an image to set."""

    status: ImageStatus


class Imported(BaseModel):
    """What an import brought: objects kept, and one sentence per entry that could not be used."""

    kept: int
    problems: list[str]


class Sample(BaseModel):
    """A shipped photo."""

    name: str
    title: str
    thumbnail_url: str


class SampleChoice(BaseModel):
    """A shipped photo to add to a project."""

    name: str


class ServerFolder(BaseModel):
    """Paths of the image files in a folder of the server."""

    images: list[str]


class ServerFile(BaseModel):
    """An image file of the server to add to a project."""

    path: Annotated[str, Field(max_length=4096)]


class Opening(BaseModel):
    """Images likely to be opened next, to be encoded in the background."""

    upcoming: Annotated[list[str], Field(max_length=4)] = []


class ModelLoading(BaseModel):
    """A model on its way."""

    name: str
    fraction: float


class Model(BaseModel):
    """What serves now, and why."""

    name: str
    title: str
    device: str
    dtype: str
    image_size: int
    backend: str
    compiling: bool
    reason: str
    loading: ModelLoading | None
    error: str | None


class ModelChoice(BaseModel):
    """A model one can switch to; `ready` means its weights are here."""

    name: str
    title: str
    ready: bool
    size_mb: float


class Status(BaseModel):
    """The server at a glance."""

    version: str
    model: Model
    models: list[ModelChoice]
    image_folders: list[str]
    project_id: int


class SwitchModel(BaseModel):
    """A model to switch to."""

    name: str
