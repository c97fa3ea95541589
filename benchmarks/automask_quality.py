"""Which automatic masks are useful? Precision and recall against labelled regions, for several thresholds.

    python -m benchmarks.automask_quality DIR --source coco --model nano

DIR holds images/ and masks/ as for `annotator eval`. Each image is segmented once with low thresholds; higher ones are
applied to the same proposals, with and without saliency. A proposal is right if it overlaps a region of
at least 0.5 % of the image, not yet taken by a better-scored proposal, at the given IoU. Unlabelled ground counts
against precision.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from annotator.cli.evaluate import MIN_REGION, LabelledPhoto, read_photos
from annotator.masks import rle as rles
from annotator.masks.geometry import nms
from annotator.sam import zoo
from annotator.sam.automask import AutomaskSettings, automask, saliency
from annotator.sam.predictor import Predictor
from annotator.settings import Settings
from annotator.types import RLE, Proposal

OFFICIAL = (0.8, 0.95, False)
GRID = (16, 24)
SCORES = (0.33, 0.37, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)
STABILITIES = (0.4, 0.5, 0.6, 0.7, 0.95)


def regions(photo: LabelledPhoto) -> list[RLE]:
    """The labelled regions that are large enough to count."""
    masks = [photo.ids == each for each in np.unique(photo.ids[photo.valid & (photo.ids > 0)])]
    return [rles.encode(mask) for mask in masks if mask.mean() >= MIN_REGION]


def propose(predictor: Predictor, photo: LabelledPhoto, settings: AutomaskSettings) -> list[Proposal]:
    """Everything above the settings' thresholds, before overlaps are removed; scores are predicted IoU."""
    (embedding,) = predictor.encode([photo.pixels])
    return automask(predictor, embedding, replace(settings, nms_threshold=1.0, by_saliency=False))


def filtered(
    proposals: list[Proposal], score: float, stability: float, salient: bool, grid: int, overlap: float
) -> list[Proposal]:
    """What higher thresholds would have left."""
    left = [each for each in proposals if each.score > score and each.stability >= stability]
    if not left:
        return []
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in (each.bbox for each in left)], np.float32)
    scores = np.array([each.score for each in left], np.float32)
    if salient:
        _, clicks = np.unique([each.point for each in left], axis=0, return_inverse=True)
        scores *= saliency(boxes, clicks.ravel(), grid, left[0].mask.height, left[0].mask.width)
    boxes[:, 2:] -= 1  # as the official algorithm compares them
    return [left[i] for i in nms(boxes, scores, overlap) if scores[i] > score]


def hits(proposals: list[Proposal], truth: list[RLE], threshold: float) -> int:
    """Proposals, best first, that take a region of their own at this IoU."""
    free = list(truth)
    count = 0
    for each in proposals:
        scores = [rles.iou(each.mask, region) for region in free]
        if scores and max(scores) >= threshold:
            free.pop(int(np.argmax(scores)))
            count += 1
    return count


def main() -> None:
    """Print a table for the best settings of each grid and the official ones; JSON last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="coco", help="photos whose names begin with this and an underscore")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--grid", type=int, nargs="+", default=GRID, help="clicks along each side")
    parser.add_argument("--checkpoint", type=Path, help="weights of the model that are not yet in their place")
    options = parser.parse_args()
    settings = Settings.from_environment()
    spec = zoo.spec_of(options.model)
    path = options.checkpoint or zoo.checkpoint_path(spec, settings.models_dir)
    predictor = Predictor.eager(options.model, path)
    photos = [photo for photo in read_photos(options.folder) if photo.source == options.source]
    if not photos:
        parser.error(f"{options.folder} has no photos whose names begin with {options.source}_.")
    truth = [regions(photo) for photo in photos]
    rows = []
    for grid in options.grid:
        usual = AutomaskSettings.of(spec, points_per_side=grid)
        loose = replace(usual, iou_threshold=min(SCORES), stability_threshold=min(STABILITIES))
        started = time.perf_counter()
        found = [propose(predictor, photo, loose) for photo in photos]
        seconds = (time.perf_counter() - started) / len(photos)
        for score, stability, salient in itertools.product(SCORES, STABILITIES, (False, True)):
            kept = [filtered(each, score, stability, salient, grid, loose.nms_threshold) for each in found]
            row = {"grid": grid, "score": score, "stability": stability, "saliency": salient}
            row["seconds"] = round(seconds, 2)
            proposed, wanted = sum(map(len, kept)), sum(map(len, truth))
            for threshold in (0.5, 0.75):
                right = sum(hits(each, region, threshold) for each, region in zip(kept, truth, strict=True))
                row[f"precision_{threshold}"] = round(right / max(1, proposed), 3)
                row[f"recall_{threshold}"] = round(right / max(1, wanted), 3)
            row["masks_per_image"] = round(proposed / len(photos), 1)
            rows.append(row)
    print(json.dumps({"images": len(photos), "regions": sum(map(len, truth)), "rows": rows}, indent=None))
    chosen = sorted(rows, key=lambda row: -_f1(row))[:6]
    chosen += [row for row in rows if (row["score"], row["stability"], row["saliency"]) == OFFICIAL]
    for row in chosen:
        print({**row, "f1_0.5": round(_f1(row), 3)})


def _f1(row: dict[str, float]) -> float:
    precision, recall = row["precision_0.5"], row["recall_0.5"]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


if __name__ == "__main__":
    main()
