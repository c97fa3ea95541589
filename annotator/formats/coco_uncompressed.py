"""COCO instance files whose masks are plain lists of run lengths, for readers without pycocotools."""

from __future__ import annotations

from functools import partial
from typing import Any

from annotator.formats import coco
from annotator.formats.coco_read import read
from annotator.formats.registry import Format
from annotator.types import Annotation


def runs(annotation: Annotation) -> dict[str, Any]:
    """The mask as COCO's uncompressed run lengths."""
    mask = annotation.mask
    return {"size": [mask.height, mask.width], "counts": mask.counts.tolist()}


FORMAT = Format(
    name="coco-uncompressed",
    title="COCO (uncompressed RLE)",
    media_type="application/json",
    file_name="annotations.json",
    losses=coco.LOSSES,
    write=partial(coco.write, segmentation=runs),
    read=read,
)
