"""One transparent PNG an object: its pixels, cut out of the image."""

from __future__ import annotations

from typing import IO

from annotator.formats import object_index
from annotator.formats.archive import writing
from annotator.formats.dataset import Dataset
from annotator.formats.file_names import stems
from annotator.formats.png_file import rgba, to_png
from annotator.formats.registry import Format
from annotator.imaging.decode import decode_pixels
from annotator.masks import rle


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
        archive.add(object_index.NAME, object_index.to_json("cutouts", entries))


FORMAT = Format(
    name="cutouts",
    title="Cutouts (transparent PNGs)",
    media_type="application/zip",
    file_name="cutouts.zip",
    losses=f"Pixels around the objects are transparent. {object_index.LOSSES}",
    write=write,
)
