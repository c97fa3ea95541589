"""COCO instance files: written so that every consumer takes them. Reading them is in `coco_read`.

The other modules of COCO files differ in how they write a mask.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from annotator.formats.coco_images import EXIF_POLICY
from annotator.formats.coco_read import read, recognises
from annotator.formats.dataset import Dataset, checked_mask, not_exported
from annotator.formats.registry import Format
from annotator.masks import rle
from annotator.types import Annotation, ImageRecord, Label

Segmentation = Callable[[Annotation], Any]
"""The JSON of an annotation's mask."""

LOSSES = "Colours and keys of labels, the prompts of each object and its history are not in the file."


def compressed(annotation: Annotation) -> dict[str, Any]:
    """The mask as COCO's compressed run lengths."""
    return rle.to_dict(annotation.mask)


def write(dataset: Dataset, stream: IO[bytes], segmentation: Segmentation = compressed) -> None:
    """Write a COCO file, annotation by annotation. Raises as `build` does."""
    head = json.dumps(_head(dataset.images, dataset.labels))
    stream.write(head.removesuffix("}").encode() + b', "annotations": [')
    separator = b"\n"
    for entry in _entries(dataset, segmentation):
        stream.write(separator + json.dumps(entry).encode())
        separator = b",\n"
    stream.write(b"\n]}\n")


def build(images: Sequence[ImageRecord], labels: Sequence[Label], annotations: Sequence[Annotation]) -> dict[str, Any]:
    """A COCO document, ready for JSON. Ids of images and annotations count from 1; categories keep theirs.

    Every mask is read back from the string that goes into the file. Raises `InvalidMask` for a mask that is malformed
    or does not fit its image, `CorruptData` for any other contradiction, both naming the annotation.
    """
    entries = list(_entries(Dataset(images, labels, annotations), compressed))
    return {**_head(images, labels), "annotations": entries}


def category_ids(labels: Sequence[Label]) -> list[int]:
    """A number for each label: its category id, unless an earlier label has it. The others get free numbers."""
    taken: set[int] = set()
    own: list[int | None] = []
    for label in labels:
        wanted = None if label.category_id in taken else label.category_id
        own.append(wanted)
        if wanted is not None:
            taken.add(wanted)
    following = itertools.count(max(taken, default=0) + 1)
    return [next(following) if number is None else number for number in own]


def _head(images: Sequence[ImageRecord], labels: Sequence[Label]) -> dict[str, Any]:
    """All of the file but its annotations."""
    return {
        "info": {"description": EXIF_POLICY, "version": "1.0"},
        "licenses": [],
        "images": [
            {"id": number, "file_name": image.name, "width": image.width, "height": image.height}
            for number, image in enumerate(images, 1)
        ],
        "categories": [
            {"id": number, "name": label.name, "supercategory": label.supercategory}
            for number, label in zip(category_ids(labels), labels, strict=True)
        ],
    }


def _entries(dataset: Dataset, segmentation: Segmentation) -> Iterator[dict[str, Any]]:
    image_ids = {image.id: number for number, image in enumerate(dataset.images, 1)}
    numbers = dict(zip((label.id for label in dataset.labels), category_ids(dataset.labels), strict=True))
    begun: set[str] = set()
    for number, annotation in enumerate(dataset.annotations, 1):
        if annotation.image_id not in begun:
            dataset.progress(len(begun))
            begun.add(annotation.image_id)
        image_id, category_id = image_ids.get(annotation.image_id), numbers.get(annotation.label_id)
        if image_id is None or category_id is None:
            raise not_exported(annotation)
        checked_mask(annotation, dataset.images[image_id - 1])
        ids = {"id": number, "image_id": image_id, "category_id": category_id, "iscrowd": int(annotation.crowd)}
        score = {} if annotation.score is None else {"score": annotation.score}
        source = {"source": annotation.source} if annotation.source == "box" else {}
        mask = {"segmentation": segmentation(annotation), "area": annotation.area, "bbox": list(annotation.bbox)}
        yield ids | mask | score | source


FORMAT = Format(
    name="coco",
    title="COCO (compressed RLE)",
    media_type="application/json",
    file_name="annotations.json",
    losses=LOSSES,
    write=write,
    read=read,
    recognises=recognises,
)
