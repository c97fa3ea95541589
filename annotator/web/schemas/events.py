"""What the stream of a project's events tells, as JSON."""

from __future__ import annotations

from pydantic import BaseModel

from annotator.web.schemas.base import Reply
from annotator.web.schemas.images import Image


class ImageEvent(BaseModel):
    """An image that was added or changed, its revision now, and who did that, if this is known."""

    image: Image
    revision: int
    by: str | None


class RemovedImage(BaseModel):
    """An image that was removed, and by whom, if this is known."""

    id: str
    by: str | None


class Place(Reply):
    """An image that somebody has open."""

    image_id: str
    user: str


class ProjectEvent(BaseModel):
    """What changed in a project up to `version`.

    `reload` says that too much changed to be told one by one. `labels` and `project` say that the labels, and that the
    name or the members of the project changed. `places` are all images that somebody has open; null if they are as
    before.
    """

    version: int
    images: list[ImageEvent] = []
    removed: list[RemovedImage] = []
    reload: bool = False
    labels: bool = False
    project: bool = False
    places: list[Place] | None = None
