"""Two PNGs an image: which object each pixel belongs to, and which class.

A pixel has one value, so where objects overlap, the smaller one is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np
import numpy.typing as npt

from annotator.errors import InvalidMask, InvalidRequest
from annotator.formats import object_index
from annotator.formats.archive import writing
from annotator.formats.dataset import Dataset, FileContents
from annotator.formats.file_names import stems
from annotator.formats.png_file import from_png, to_png
from annotator.formats.registry import Format
from annotator.masks import rle
from annotator.types import RLE, Annotation, ImageRecord, Label

NAME = "png"

_MAX_VALUE = 2**16 - 1
_PALETTE = 256


def write(dataset: Dataset, stream: IO[bytes]) -> None:
    """Write both maps of each image, and the index. 0 is no object.

    Maps of objects have 16 bits a pixel. Maps of classes have 8 and a palette with the colours of the labels; 16 where
    there are more than 255 labels. Raises as `checked_mask`, and `InvalidRequest` for too many objects or labels.
    """
    names, entries = stems(dataset.images), []
    classes = {label.id: number for number, label in enumerate(dataset.labels, 1)}
    if len(classes) > _MAX_VALUE:
        raise InvalidRequest(f"A PNG tells {_MAX_VALUE:,} classes apart, and the project has more.")
    with writing(stream) as archive:
        for image, objects in dataset.by_image():
            instances = _instances(dataset, image, objects)
            lookup = np.array([0, *(classes[label.id] for _, label in objects)], np.uint16)
            files = {kind: f"{kind}/{names[image.id]}.png" for kind in ("instances", "classes")}
            archive.add(files["instances"], to_png(instances))
            archive.add(files["classes"], _class_map(lookup[instances], dataset.labels))
            listed = [
                object_index.about(annotation, label, value=number, class_value=classes[label.id])
                for number, (annotation, label) in enumerate(objects, 1)
            ]
            entries.append(object_index.about_image(image, listed, **files))
        archive.add(object_index.NAME, object_index.to_json(NAME, entries))


def restored(dataset: Dataset) -> Iterator[tuple[Annotation, RLE | None]]:
    """What is seen of each object; None if nothing is."""
    for image, objects in dataset.by_image():
        masks = _masks(_instances(dataset, image, objects))
        for number, (annotation, _) in enumerate(objects, 1):
            yield annotation, masks.get(number)


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of an archive; objects without a pixel are reported. Raises `NotJson` or `InvalidRequest`."""
    index = object_index.IndexReader(data, images)
    for image, entry in index.images():
        listed = object_index.listed(entry)
        try:
            with from_png(index.file(entry.get("instances")), image.height, image.width) as pixels:
                masks = _masks(pixels)
        except InvalidMask as error:
            index.refuse(image, error, len(listed))
            continue
        for each in listed:
            value = each.get("value") if isinstance(each, dict) else None
            index.archive.deadline.check()
            try:
                if type(value) is not int or value not in masks:
                    raise InvalidMask("No pixel has its value.")
                index.add(image, each, masks[value])
            except InvalidMask as error:
                index.refuse(image, error)
    return index.contents()


def _instances(
    dataset: Dataset, image: ImageRecord, objects: Sequence[tuple[Annotation, Label]]
) -> npt.NDArray[np.uint16]:
    """The number of the object of each pixel, uint16 [H, W]. Larger objects are drawn first."""
    if len(objects) > _MAX_VALUE:
        raise InvalidRequest(f"A PNG tells {_MAX_VALUE:,} objects apart, and {image.name} has more.")
    pixels = np.zeros((image.height, image.width), np.uint16)
    for number, (annotation, _) in dataset.each(sorted(enumerate(objects, 1), key=lambda each: -each[1][0].area)):
        crop, x, y = rle.decode_crop(annotation.mask)
        height, width = crop.shape
        pixels[y : y + height, x : x + width][crop] = number
    return pixels


def _class_map(values: npt.NDArray[np.uint16], labels: Sequence[Label]) -> bytes:
    if len(labels) >= _PALETTE:
        return to_png(values)
    palette = [0, 0, 0]
    for label in labels:
        palette += bytes.fromhex(label.color.removeprefix("#"))
    return to_png(values.astype(np.uint8), palette)


def _masks(values: npt.NDArray[np.generic]) -> dict[int, RLE]:
    """The mask of each value but 0, in one pass over the pixels. Raises `InvalidMask` if there are too many runs."""
    height, width = values.shape
    flat = values.ravel(order="F")
    changes = flat[1:] != flat[:-1]
    if np.count_nonzero(changes) > rle.MAX_TRANSPOSED:
        raise InvalidMask("Its objects are too intricate: they have too many runs.")
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    ends = np.append(starts[1:], flat.size)
    of = flat[starts].astype(np.int64)
    order = np.argsort(of, kind="stable")
    known, first = np.unique(of[order], return_index=True)
    pieces = np.split(order, first[1:])
    return {
        value: rle.from_flips(np.concatenate((starts[runs], ends[runs])), height, width)
        for value, runs in zip(known.tolist(), pieces, strict=True)
        if value
    }


FORMAT = Format(
    name=NAME,
    title="PNG maps (objects, classes)",
    media_type="application/zip",
    file_name="png-maps.zip",
    losses=f"Where objects overlap, the larger one loses the pixels. {object_index.LOSSES}",
    write=write,
    read=read,
    recognises=partial(object_index.is_index_of, NAME),
    restored=restored,
)
