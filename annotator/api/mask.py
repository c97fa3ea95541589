"""A mask as programs want it: pixels, run lengths, polygons, a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from annotator.masks import outlines
from annotator.masks import rle as rles
from annotator.types import RLE, BoolArray, UInt8Array

_COLOR = np.array((0, 160, 255), np.float32)
_PICTURE_SIDE = 640


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Mask:
    """The mask of one object. It keeps the pixels of its image alive, for the picture.

    `runs` are its run lengths as the program keeps them, `score` is the model's own estimate of its IoU with the
    object, 0 to 1. `stability` is 0 to 1: how little the mask changes with the threshold. `similarity` is 0 to 1,
    and None unless `Image.similar` found the mask.

    >>> import annotator
    >>> image = annotator.load("nano").encode("assets/samples/skimage_coffee.jpg")
    >>> (cup,) = image.segment(box=(165, 15, 425, 240), candidates=1)
    >>> cup.array.sum() == cup.area
    np.True_
    >>> cup.rle["size"]
    [400, 600]
    """

    runs: RLE
    score: float
    stability: float
    pixels: UInt8Array
    similarity: float | None = None

    @property
    def array(self) -> BoolArray:
        """Bool [height, width], decoded anew each time."""
        return rles.decode(self.runs)

    @property
    def rle(self) -> dict[str, Any]:
        """COCO's compressed form, {"size": [height, width], "counts": str}, which pycocotools and JSON take."""
        return rles.to_dict(self.runs)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return rles.area(self.runs)

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """The tight box as x, y, width, height; all 0 for an empty mask."""
        return rles.bbox(self.runs)

    def polygon(self) -> list[list[float]]:
        """COCO's polygons, one for each connected part: x0, y0, x1, y1, ... in pixels, along their edges.

        Holes are joined to the outline by lines without width, so pycocotools makes the very same mask of them.
        """
        return [[float(each) for each in ring.flatten()] for ring in outlines.edge_rings(self.runs)]

    def __repr__(self) -> str:
        return f"<Mask of {self.area} pixels, score {self.score:.2f}>"

    def _repr_png_(self) -> bytes:
        """The image with the mask in blue, as notebooks show it: a PNG of at most 640 x 640 pixels."""
        height, width = self.pixels.shape[:2]
        scale = min(1.0, _PICTURE_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        share = np.asarray(cv2.resize(self.array.astype(np.float32), size, interpolation=cv2.INTER_AREA))[..., None] / 2
        blended = picture * (1 - share) + _COLOR * share
        _, png = cv2.imencode(".png", blended[..., ::-1].round().astype(np.uint8))
        return png.tobytes()
