"""What an export would lose of a project's masks, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from annotator.formats.dataset import Dataset
from annotator.formats.registry import Format
from annotator.masks import rle
from annotator.words import counted

MAX_OBJECTS = 2000
"""So many objects are compared; it takes a few seconds."""


@dataclass(frozen=True, slots=True)
class Losses:
    """How the masks of a project come back from a file.

    `empty` images of `images` have no objects. `compared` objects of `objects` were looked at. Of these, `changed` come
    back with other pixels and `left_out` not at all. `mean_iou` and `min_iou` are those of the changed ones; 1 if there
    are none.
    """

    objects: int
    images: int = 0
    empty: int = 0
    compared: int = 0
    changed: int = 0
    left_out: int = 0
    mean_iou: float = 1.0
    min_iou: float = 1.0

    @property
    def text(self) -> str:
        """The numbers for people."""
        if not self.objects:
            return "There are no objects."
        have = "has" if self.empty == 1 else "have"
        empty = f" {self.empty:,} of {counted(self.images, 'image')} {have} no objects." if self.empty else ""
        return self._masks + empty

    @property
    def _masks(self) -> str:
        first = "" if self.compared == self.objects else "the first "
        of = f"of {first}{counted(self.compared, 'object')}"
        if not self.changed and not self.left_out:
            return f"All masks come back with every pixel ({of})."
        parts = []
        if self.changed:
            means = f"IoU {_figure(self.mean_iou)} on average, {_figure(self.min_iou)} at worst"
            parts.append(f"Masks that change: {self.changed:,} {of}, {means}.")
        if self.left_out:
            parts.append(f"Left out: {self.left_out:,} {of}.")
        return " ".join(parts)


def measure(kind: Format, dataset: Dataset) -> Losses:
    """What this format would lose of the first `MAX_OBJECTS` objects of a dataset. Raises as the format's `write`."""
    objects, images = len(dataset.annotations), len(dataset.images)
    empty = images - len({each.image_id for each in dataset.annotations})
    if kind.restored is None:
        return Losses(objects, images, empty, objects)
    compared, left_out, overlaps = 0, 0, []
    for annotation, restored in dataset.each(islice(kind.restored(dataset), MAX_OBJECTS)):
        compared += 1
        if restored is None:
            left_out += 1
        elif restored != annotation.mask:
            overlaps.append(rle.iou(annotation.mask, restored))
    mean = sum(overlaps) / len(overlaps) if overlaps else 1.0
    return Losses(objects, images, empty, compared, len(overlaps), left_out, mean, min(overlaps, default=1.0))


def _figure(iou: float) -> str:
    """Three digits, never rounded up to 1."""
    return f"{min(iou, 0.999):.3f}"
