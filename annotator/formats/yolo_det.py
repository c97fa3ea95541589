"""Boxes as YOLO's labels: class, centre x and y, width, height."""

from __future__ import annotations

from functools import partial

import numpy as np

from annotator.formats import yolo
from annotator.formats.registry import Format
from annotator.masks import rle
from annotator.types import RLE


def box(mask: RLE) -> list[float]:
    """Centre x and y, width and height of the tight box, as shares of the image's sides."""
    x, y, w, h = rle.bbox(mask)
    return [(x + w / 2) / mask.width, (y + h / 2) / mask.height, w / mask.width, h / mask.height]


def filled_box(mask: RLE) -> RLE:
    """The tight box of a mask as a mask."""
    x, y, w, h = rle.bbox(mask)
    return rle.encode_at(np.ones((h, w), np.bool_), x, y, mask.height, mask.width)


FORMAT = Format(
    name="yolo-det",
    title="YOLO detection (boxes)",
    media_type="application/zip",
    file_name="yolo-det.zip",
    losses=f"Masks become boxes. {yolo.LOSSES}",
    write=partial(yolo.write, coordinates=box),
    restored=partial(yolo.without_crowds, restored=filled_box),
    has_subsets=True,
)
