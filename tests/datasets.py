"""A project's images, labels and objects for tests of formats, with masks of every awkward shape."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from annotator.formats.dataset import Dataset
from annotator.masks import rle
from annotator.types import Annotation, BoolArray, ImageRecord, Label

LABELS = [Label(7, 1, 'dog: "x" ☃', "#112233", "animal", "2", 90), Label(3, 1, "cup", "#445566")]
IMAGES = [
    ImageRecord("i-1", 1, "train/b.jpg", "sha-1", "pix-1", width=50, height=40),
    ImageRecord("i-2", 1, "val/B.PNG", "sha-2", "pix-2", width=31, height=17),
    ImageRecord("i-3", 1, "c.gif", "sha-3", "pix-3", width=12, height=9),
]
"""The last one has no objects."""


def awkward_masks(height: int, width: int) -> list[BoolArray]:
    """One pixel, a line, the whole frame, a diagonal, a frame with a hole, holes in parts in holes, noise."""
    whole = np.ones((height, width), bool)
    empty = np.zeros_like(whole)
    pixel, line, hole, nested = empty.copy(), empty.copy(), whole.copy(), whole.copy()
    pixel[height // 2, width - 1] = True
    line[:, 3] = True
    hole[2:5, 2:4] = hole[6, 6] = False
    for ring in range(1, min(height, width) // 2):
        nested[ring : height - ring, ring : width - ring] = ring % 2 == 0
    diagonal = np.eye(height, width, dtype=bool)
    noise = np.random.default_rng(0).random((height, width)) < 0.5
    return [pixel, line, whole, diagonal, hole, nested, noise]


def annotation(name: str, image: ImageRecord, label: Label, mask: BoolArray, crowd: bool = False) -> Annotation:
    found = rle.encode(mask)
    return Annotation(name, image.id, label.id, found, rle.area(found), rle.bbox(found), score=0.75, crowd=crowd)


def dataset(masks: Sequence[BoolArray] | None = None) -> Dataset:
    """All awkward masks on the first two images, the last one of each a crowd; or these masks on the first."""
    annotations = []
    for image in IMAGES[:2] if masks is None else IMAGES[:1]:
        shapes = awkward_masks(image.height, image.width) if masks is None else masks
        for number, mask in enumerate(shapes):
            crowd = masks is None and number == len(shapes) - 1
            annotations.append(annotation(f"{image.id}-{number}", image, LABELS[number % 2], mask, crowd))
    return Dataset(IMAGES, LABELS, annotations, image_file)


@cache
def image_file(image: ImageRecord) -> bytes:
    """A file of the kind that the image's name says."""
    pixels = np.random.default_rng(1).integers(0, 255, (image.height, image.width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, {"jpg": "JPEG", "PNG": "PNG", "gif": "GIF"}[image.name[-3:]])
    return stream.getvalue()
