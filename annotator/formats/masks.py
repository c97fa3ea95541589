"""One black and white PNG an object, as large as its image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import IO

import numpy as np

from annotator.errors import InvalidMask
from annotator.formats import object_index
from annotator.formats.archive import writing
from annotator.formats.dataset import Dataset, FileContents
from annotator.formats.file_names import stems
from annotator.formats.png_file import from_png, to_png
from annotator.formats.registry import Format
from annotator.masks import rle
from annotator.types import ImageRecord

NAME = "masks"


def write(dataset: Dataset, stream: IO[bytes]) -> None:
    """Write a PNG of one bit a pixel for each object, and the index. Raises as `checked_mask`."""
    names, entries = stems(dataset.images), []
    with writing(stream) as archive:
        for image, objects in dataset.by_image():
            listed = []
            for number, (annotation, label) in enumerate(objects, 1):
                file = f"masks/{names[image.id]}/{number:04}.png"
                archive.add(file, to_png(rle.decode(annotation.mask)))
                listed.append(object_index.about(annotation, label, file=file))
            entries.append(object_index.about_image(image, listed))
        archive.add(object_index.NAME, object_index.to_json(NAME, entries))


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of an archive. Raises `NotJson` or `InvalidRequest`."""
    index = object_index.IndexReader(data, images)
    for image, entry in index.images():
        for each in object_index.listed(entry):
            file = each.get("file") if isinstance(each, dict) else None
            try:
                with from_png(index.file(file), image.height, image.width) as pixels:
                    mask = rle.encode(np.asarray(pixels != 0))
                index.add(image, each, mask)
            except InvalidMask as error:
                index.refuse(image, error)
    return index.contents()


FORMAT = Format(
    name=NAME,
    title="PNG masks (one an object)",
    media_type="application/zip",
    file_name="masks.zip",
    losses=object_index.LOSSES,
    write=write,
    read=read,
    recognises=partial(object_index.is_index_of, NAME),
)
