"""What fine detail brings on large images: one click on each region, seen in the whole image and in a view around it.

    python -m benchmarks.fine_detail ../shared/data/segments/val

DIR holds images/ and masks/ as for `annotator eval`, of at most 512 pixels a side. They are laid out on sheets of
6 x 4, 3072 x 2048 pixels, so that regions are small in the sheet and have all their pixels in the view. Boundary IoU is
that of Cheng et al. 2021 (arXiv:2103.16562), the IoU of bands along the borders, here 2 % of the diagonal of the
region's box wide.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from annotator.cli.evaluate import IGNORE
from annotator.masks import rle as rles
from annotator.masks.geometry import farthest_point
from annotator.sam import zoo
from annotator.sam.postprocess import masks_to_rle
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.settings import Settings
from annotator.types import BoolArray, Point, Prompt, UInt8Array
from annotator.workspace.views import View, crop

COLUMNS, ROWS, CELL = 6, 4, 512
SMALLEST = 0.002
"""Share of its photo a region must have."""
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


def view_of(truth: BoolArray, least: int) -> View | None:
    """Twice the region's box, inside the image, as one sees having zoomed in on it; and what the model makes of it."""
    height, width = truth.shape
    ys, xs = np.nonzero(truth)
    side = 2 * max(int(np.ptp(xs)), int(np.ptp(ys)), 16)
    w, h = min(side, width), min(side, height)
    x = min(max(0, int(xs.mean()) - w // 2), width - w)
    y = min(max(0, int(ys.mean()) - h // 2), height - h)
    return View(x, y, w, h).widen(least, height, width)


def best_answer(
    predictor: Predictor, embedding: list[ImageEmbedding], point: Point, shape: tuple[int, ...]
) -> BoolArray:
    """The best-scored mask of one click."""
    answer = predictor.decode(embedding, PromptBatch.single(Prompt((point,))))
    slot = int(answer.scores[0, 1:].argmax()) + 1
    return rles.decode(masks_to_rle(answer.logits[0, [slot]], *shape)[0])


def regions(ids: np.ndarray) -> list[int]:
    """The ids of the first few regions of a photo that are not tiny."""
    known = np.unique(ids[(ids > 0) & ((ids != IGNORE) | (ids.dtype != np.uint8))])
    return [int(each) for each in known if (ids == each).mean() >= SMALLEST][:MOST]


def sheets(folder: Path) -> Iterator[tuple[UInt8Array, list[BoolArray]]]:
    """Photos side by side on grey, and their regions as masks of the sheet."""
    paths = sorted((folder / "images").glob("*.jpg"))
    random.Random(0).shuffle(paths)
    for first in range(0, len(paths), COLUMNS * ROWS):
        pixels = np.full((ROWS * CELL, COLUMNS * CELL, 3), 128, np.uint8)
        masks = []
        for place, path in enumerate(paths[first : first + COLUMNS * ROWS]):
            ids = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png"))
            y, x = (CELL * each for each in divmod(place, COLUMNS))
            cell = (slice(y, y + ids.shape[0]), slice(x, x + ids.shape[1]))
            pixels[cell] = np.asarray(Image.open(path).convert("RGB"))
            for each in regions(ids):
                mask = np.zeros(pixels.shape[:2], np.bool_)
                mask[cell] = ids == each
                masks.append(mask)
        yield pixels, masks


def main() -> None:
    """Print the means as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    spec = zoo.spec_of(options.model)
    predictor = Predictor.eager(options.model, zoo.checkpoint_path(spec, Settings.from_environment().models_dir))
    rows = []
    for pixels, masks in sheets(options.folder):
        embedding = predictor.encode([pixels])
        for truth in masks:
            deepest = farthest_point(truth)
            assert deepest is not None
            point, view = Point(deepest[0] + 0.5, deepest[1] + 0.5, 1), view_of(truth, predictor.image_size)
            assert view is not None
            whole = best_answer(predictor, embedding, point, truth.shape)
            (inside,) = view.to_local(Prompt((point,))).points
            detail = np.zeros_like(truth)
            part = predictor.encode([np.ascontiguousarray(crop(pixels, view))])
            crop(detail, view)[:] = best_answer(predictor, part, inside, (view.height, view.width))
            width = max(1, round(BAND * diagonal(truth)))
            edges = [iou(band(mask, width), band(truth, width)) for mask in (whole, detail)]
            rows.append([iou(whole, truth), iou(detail, truth), *edges])
    figures = np.mean(rows, axis=0).round(3).tolist()
    names = ("iou_whole", "iou_detail", "boundary_iou_whole", "boundary_iou_detail")
    print(json.dumps({"regions": len(rows), **dict(zip(names, figures, strict=True))}))


if __name__ == "__main__":
    main()
