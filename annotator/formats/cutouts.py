"""One transparent PNG an object: its pixels, cut out of the image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import IO

from annotator.errors import InvalidMask
from annotator.formats import object_index
from annotator.formats.archive import writing
from annotator.formats.dataset import Dataset, FileContents
from annotator.formats.file_names import stems
from annotator.formats.png_file import alpha_of, rgba, to_png
from annotator.formats.registry import Format
from annotator.imaging.decode import decode_pixels
from annotator.masks import rle
from annotator.types import ImageRecord

NAME = "cutouts"


def write(dataset: Dataset, stream: IO[bytes]) -> None:
    """Write a PNG of each object's box, transparent around the object, and an index with the boxes.

    Raises as `checked_mask`, and what the dataset's `read_image` raises.
    """
    names, entries = stems(dataset.images), []
    with writing(stream) as archive:
        for image, objects in dataset.by_image():
            if not objects:
                continue
            pixels = decode_pixels(dataset.read_image(image), image.name, image.width * image.height)
            listed = []
            for number, (annotation, label) in enumerate(objects, 1):
                crop, x, y = rle.decode_crop(annotation.mask)
                height, width = crop.shape
                file = f"cutouts/{names[image.id]}/{number:04}.png"
                archive.add(file, to_png(rgba(pixels[y : y + height, x : x + width], crop)))
                listed.append(object_index.about(annotation, label, file=file, bbox=annotation.bbox))
            entries.append(object_index.about_image(image, listed))
        archive.add(object_index.NAME, object_index.to_json(NAME, entries))


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of an archive: a mask is where its PNG is opaque. Raises `NotJson` or `InvalidRequest`."""
    index = object_index.IndexReader(data, images)
    for image, entry in index.images():
        for each in object_index.listed(entry):
            given = each if isinstance(each, dict) else {}
            try:
                x, y, w, h = _box(given.get("bbox"), image)
                with alpha_of(index.file(given.get("file")), h, w) as alpha:
                    mask = rle.encode_at(alpha, x, y, image.height, image.width)
                index.add(image, each, mask)
            except InvalidMask as error:
                index.refuse(image, error)
    return index.contents()


def _box(value: object, image: ImageRecord) -> tuple[int, int, int, int]:
    """x, y, width and height of a box in an image. Raises `InvalidMask`."""
    if isinstance(value, list) and len(value) == 4 and all(type(each) is int for each in value):
        x, y, w, h = value
        if 0 <= x < x + w <= image.width and 0 <= y < y + h <= image.height:
            return x, y, w, h
    raise InvalidMask("Its box does not lie in the image.")


FORMAT = Format(
    name=NAME,
    title="Cutouts (transparent PNGs)",
    media_type="application/zip",
    file_name="cutouts.zip",
    losses=f"Pixels around the objects are transparent. {object_index.LOSSES}",
    write=write,
    read=read,
    recognises=partial(object_index.is_index_of, NAME),
)
