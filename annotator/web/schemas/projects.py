"""Projects and labels as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from annotator.types import MAX_NAME, ImageStatus, Right
from annotator.web.schemas.base import Reply, Whole

Color = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#e6194b"])]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, examples=["cup"])]
Key = Annotated[str, Field(pattern="^[1-9]$", examples=["1"])]


class Project(Reply):
    """A project that the user may see. `right` is what the user may do with it: each one includes those before it."""

    id: int
    name: str
    owner: str
    right: Right = "own"


class NewProject(BaseModel):
    """A project to create."""

    name: Name


class ProjectChange(BaseModel):
    """Fields of a project to set."""

    name: Name


class Contribution(Reply):
    """What somebody did: objects made, some of which may be gone, and images worked on.

    `user` is null for what was done before there were users.
    """

    user: str | None
    objects: int
    images: int


class LabelCount(BaseModel):
    """How many objects have a label."""

    label_id: int
    objects: int


class Summary(BaseModel):
    """The counts of a project: images by status, objects of every label, and what each person did."""

    images: dict[ImageStatus, int]
    labels: list[LabelCount]
    people: list[Contribution]


class Label(Reply):
    """A class of a project."""

    id: int
    project_id: int
    name: str
    color: str
    supercategory: str
    key: str | None


class NewLabel(BaseModel):
    """A label to create. The server picks colour and key if they are missing."""

    name: Name
    color: Color | None = None
    supercategory: Annotated[str, Field(max_length=MAX_NAME, examples=["tableware"])] = ""
    key: Key | None = None


class LabelChange(BaseModel):
    """Fields of a label to set. Only `key` may be null: then the label has no key."""

    name: Name = ""
    color: Color = ""
    supercategory: Annotated[str, Field(max_length=MAX_NAME, examples=["tableware"])] = ""
    key: Key | None = None


class LabelUsage(BaseModel):
    """How many objects have a label."""

    annotations: int


class MergeRequest(BaseModel):
    """The label that takes over the objects."""

    into: Whole
