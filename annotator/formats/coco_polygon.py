"""COCO instance files whose masks are polygons, as COCO's own are. Crowds are run lengths, as there.

The polygons run along the edges of pixels, so pycocotools makes the very same mask of them. Readers that draw polygons
with OpenCV add a pixel at the right and at the bottom.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from annotator.formats import coco, coco_uncompressed
from annotator.formats.coco_read import read
from annotator.formats.registry import Format
from annotator.masks.outlines import edge_rings
from annotator.types import Annotation


def polygons(annotation: Annotation) -> Any:
    """One polygon a part, x0, y0, x1, y1, ...; holes are bridged."""
    if annotation.crowd:
        return coco_uncompressed.runs(annotation)
    return [ring.ravel().tolist() for ring in edge_rings(annotation.mask)]


FORMAT = Format(
    name="coco-polygon",
    title="COCO (polygons)",
    media_type="application/json",
    file_name="annotations.json",
    losses=f"Holes are joined to the outline by bridges without width. {coco.LOSSES}",
    write=partial(coco.write, segmentation=polygons),
    read=read,
)
