"""What fine detail brings: one click on small regions, seen in the whole image and in a view around them.

    python -m benchmarks.fine_detail ../shared/data/segments/val

DIR holds images/ and masks/ as for `annotator eval`. Boundary IoU is that of Cheng et al. 2021 (arXiv:2103.16562), the
IoU of bands along the borders, here 2 % of the diagonal of the region's box wide.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from annotator.masks import rle as rles
from annotator.masks.geometry import farthest_point
from annotator.prompts import View, seen
from annotator.sam import zoo
from annotator.sam.evaluate import IGNORE
from annotator.sam.postprocess import masks_to_rle
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.settings import Settings
from annotator.types import BoolArray, Point, Prompt

SMALLEST, LARGEST = 0.002, 0.05
"""Share of the image a region must have."""
BAND = 0.02
MOST = 5
"""Regions of one image, so that one with a hundred nuclei does not outweigh the others."""


def band(mask: BoolArray, width: int) -> BoolArray:
    """The pixels of a mask within `width` pixels of its border."""
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    edge: BoolArray = mask & (inner == 0)
    return edge


def diagonal(mask: BoolArray) -> float:
    """Of the mask's box, in pixels."""
    ys, xs = mask.nonzero()
    return float(np.hypot(np.ptp(ys), np.ptp(xs)))


def iou(a: BoolArray, b: BoolArray) -> float:
    """Intersection over union, 0 if both are empty."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


def view_of(truth: BoolArray) -> View:
    """Twice the region's box, inside the image: what one sees having zoomed in on it."""
    height, width = truth.shape
    ys, xs = np.nonzero(truth)
    side = 2 * max(int(np.ptp(xs)), int(np.ptp(ys)), 16)
    w, h = min(side, width), min(side, height)
    x = min(max(0, int(xs.mean()) - w // 2), width - w)
    y = min(max(0, int(ys.mean()) - h // 2), height - h)
    return View(x, y, w, h)


def best_answer(
    predictor: Predictor, embedding: list[ImageEmbedding], point: Point, shape: tuple[int, ...]
) -> BoolArray:
    """The best-scored mask of one click."""
    answer = predictor.decode(embedding, PromptBatch.single(Prompt((point,))))
    slot = int(answer.scores[0, 1:].argmax()) + 1
    return rles.decode(masks_to_rle(answer.logits[0, [slot]], *shape)[0])


def regions(ids: np.ndarray) -> list[BoolArray]:
    """The first few regions of a size that fine detail is for."""
    known = np.unique(ids[(ids > 0) & ((ids != IGNORE) | (ids.dtype != np.uint8))])
    return [ids == each for each in known if SMALLEST <= (ids == each).mean() <= LARGEST][:MOST]


def main() -> None:
    """Print the means as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    spec = zoo.spec_of(options.model)
    predictor = Predictor.eager(options.model, zoo.checkpoint_path(spec, Settings.from_environment().models_dir))
    rows = []
    for path in sorted((options.folder / "images").glob("*.jpg")):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        ids = np.asarray(Image.open(options.folder / "masks" / f"{path.stem}.png"))
        embedding = predictor.encode([pixels])
        for truth in regions(ids):
            deepest = farthest_point(truth)
            assert deepest is not None
            point, view = Point(deepest[0] + 0.5, deepest[1] + 0.5, 1), view_of(truth)
            whole = best_answer(predictor, embedding, point, truth.shape)
            (inside,) = view.inside(Prompt((point,))).points
            detail = np.zeros_like(truth)
            part = predictor.encode([np.ascontiguousarray(seen(pixels, view))])
            seen(detail, view)[:] = best_answer(predictor, part, inside, (view.height, view.width))
            width = max(1, round(BAND * diagonal(truth)))
            edges = [iou(band(mask, width), band(truth, width)) for mask in (whole, detail)]
            rows.append([iou(whole, truth), iou(detail, truth), *edges])
    figures = np.mean(rows, axis=0).round(3).tolist()
    names = ("iou_whole", "iou_detail", "boundary_iou_whole", "boundary_iou_detail")
    print(json.dumps({"regions": len(rows), **dict(zip(names, figures, strict=True))}))


if __name__ == "__main__":
    main()
