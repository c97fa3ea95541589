"""The server's status and its models as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, computed_field

from annotator.types import MAX_NAME
from annotator.web.schemas.base import Reply


class ModelLoading(Reply):
    """A model on its way; `fraction` in 0..1."""

    name: str
    fraction: float


class ModelChoice(Reply):
    """A model one can switch to. `ready` means that its weights are here."""

    name: str
    title: str
    ready: bool
    size_bytes: int

    @computed_field
    def size_mb(self) -> float:
        """Megabytes to fetch."""
        return round(self.size_bytes / 1e6, 1)


class Model(Reply):
    """What serves now, and why. `offer` names a finer model that can be fetched now."""

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
    offer: str | None


class Status(BaseModel):
    """The server at a glance. `project_id` is the user's first project; `user` is null where there is no login.

    `is_admin` says that the user may do everything, as the one user does where there is no login.
    """

    version: str
    model: Model
    models: list[ModelChoice]
    image_folders: list[str]
    project_id: int
    user: str | None
    is_admin: bool


class SwitchModel(BaseModel):
    """A model to switch to."""

    name: Annotated[str, Field(max_length=MAX_NAME)]
