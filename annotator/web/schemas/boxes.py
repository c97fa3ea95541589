"""Boxes of a file, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from annotator.formats.file_boxes import FileBox
from annotator.types import Box


class CategoryBox(BaseModel):
    """A box [x0, y0, x1, y1] in pixels of the upright image, ready for a prompt, and the name of its class."""

    box: Box
    category: str


class ImageBoxes(BaseModel):
    """The boxes of one image of the project, in the order of the file."""

    image_id: str
    boxes: list[CategoryBox]


class ReadBoxes(BaseModel):
    """What a file holds for the images of a project, and one sentence for each kind of entry that cannot be used."""

    images: list[ImageBoxes]
    problems: list[str]

    @classmethod
    def of(cls, found: Mapping[str, Sequence[FileBox]], problems: list[str]) -> ReadBoxes:
        """From the use case's values."""
        images = [
            ImageBoxes(
                image_id=image_id,
                boxes=[CategoryBox(box=each.box, category=each.category.name) for each in boxes],
            )
            for image_id, boxes in found.items()
        ]
        return cls(images=images, problems=problems)
