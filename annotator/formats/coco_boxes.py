"""Boxes of COCO files: annotations that have a box and no mask."""

from __future__ import annotations

from collections.abc import Sequence

from annotator.formats import coco_read
from annotator.formats.coco_images import match_images
from annotator.formats.file_boxes import HAS_MASK, NOWHERE, FileBox, place_box
from annotator.formats.problems import Problems
from annotator.types import ImageRecord


def read_coco(document: object, images: Sequence[ImageRecord], problems: Problems) -> list[FileBox]:
    """The usable boxes of a COCO document for these images."""
    if not isinstance(document, dict):
        problems.add(coco_read.NOT_COCO)
        return []
    entries = dict(coco_read.identified(document, "images", problems))
    targets = match_images(entries, images, coco_read.is_ours(document), problems)
    named = coco_read.identified(document, "categories", problems)
    categories = {key: coco_read.category_of(key, entry) for key, entry in named}
    found: list[FileBox] = []
    for place, entry in coco_read.list_entries(document, "annotations", problems):
        own, image_key = coco_read.id_of(entry, "id"), coco_read.id_of(entry, "image_id")
        name = f"number {place}" if own is None else own
        target, category = targets.get(image_key), categories.get(coco_read.id_of(entry, "category_id"))
        if target is None and image_key in entries:
            problems.add(coco_read.LEFT_OUT)
        elif target is None:
            problems.add(coco_read.NO_IMAGE, name)
        elif category is None:
            problems.add(coco_read.NO_CATEGORY, name)
        elif not category.name.strip():
            problems.add(coco_read.NAMELESS, name)
        elif entry.get("segmentation"):
            problems.add(HAS_MASK, f"annotation {name}")
        else:
            found += place_box(_corners(entry.get("bbox")), target, f"annotation {name}", category, problems)
    return found


def _corners(bbox: object) -> Sequence[float]:
    """x0, y0, x1, y1 of COCO's x, y, width and height."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(isinstance(each, int | float) for each in bbox):
        return NOWHERE
    try:
        x, y, w, h = map(float, bbox)
    except OverflowError:
        return NOWHERE
    return x, y, x + w, y + h
