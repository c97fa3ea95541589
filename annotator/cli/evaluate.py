"""How good are the masks? Interactive segmentation simulated on photos with known regions.

The first click goes to the point of the region farthest from its border, each next one likewise into the largest
error (positive where the region was missed, negative where too much was taken), refining the previous answer's logits.
This is the protocol of the interactive-segmentation literature (NoC: number of clicks to reach an IoU).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from annotator.errors import AnnotatorError
from annotator.masks import rle as rles
from annotator.masks.geometry import farthest_point
from annotator.sam.postprocess import masks_to_rle
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.types import BoolArray, FloatArray, Point, Prompt

MIN_REGION = 0.005
"""Regions under this fraction of the image are skipped."""
MAX_CLICKS = 20
IGNORE = 255


@dataclass(frozen=True, slots=True)
class RegionResult:
    """`ious[k]` is the IoU after k + 1 clicks (the last one holds for the rest once 0.8 is passed and 3 are given).

    `score` is the predicted IoU of the first answer, `best` the IoU of the best of its three candidates.
    """

    source: str
    ious: list[float]
    score: float
    best: float

    def after(self, clicks: int) -> float:
        """IoU after `clicks` clicks."""
        return self.ious[min(clicks, len(self.ious)) - 1]

    @property
    def clicks_to_80(self) -> int:
        """Clicks until the IoU is 0.8; 20 if it never is."""
        return next((k + 1 for k, iou in enumerate(self.ious) if iou >= 0.8), MAX_CLICKS)


def evaluate(predictor: Predictor, folder: Path) -> Iterator[list[RegionResult]]:
    """Yield the results of one image after the other. `folder` holds images/NAME.jpg and masks/NAME.png.

    Mask values: 0 background, 255 ignored (8-bit masks only), else a region's id. Raises AnnotatorError without images.
    """
    paths = sorted((folder / "images").glob("*.jpg"))
    if not paths:
        raise AnnotatorError(f"{folder} holds no images/*.jpg to evaluate on.")
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        ids = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png"))
        valid = np.ones(ids.shape, np.bool_) if ids.dtype != np.uint8 else ids != IGNORE
        (embedding,) = predictor.encode([pixels])
        results = []
        for region in np.unique(ids[valid & (ids > 0)]):
            truth: BoolArray = (ids == region) & valid
            if truth.mean() >= MIN_REGION:
                results.append(_click(predictor, embedding, truth, valid, path.stem.split("_")[0]))
        yield results


def summary(results: list[RegionResult]) -> dict[str, float]:
    """The figures of the last line: mIoU after 1 and 3 clicks, NoC@80, regions; then how honest the scores are."""
    first = np.array([each.after(1) for each in results])
    scores = np.array([each.score for each in results])
    varied = len(results) > 1 and first.std() > 0 and scores.std() > 0
    return {
        "miou_1": float(first.mean()),
        "miou_3": float(np.mean([each.after(3) for each in results])),
        "noc80": float(np.mean([each.clicks_to_80 for each in results])),
        "regions": len(results),
        "score_correlation": float(np.corrcoef(first, scores)[0, 1]) if varied else 0.0,
        "best_of_three_gap": float(np.mean([each.best for each in results]) - first.mean()),
    }


def by_source(results: list[RegionResult]) -> dict[str, dict[str, float]]:
    """A summary per source: the part of the file name before the first underscore."""
    groups: dict[str, list[RegionResult]] = defaultdict(list)
    for each in results:
        groups[each.source].append(each)
    return {name: summary(group) for name, group in sorted(groups.items())}


def _click(
    predictor: Predictor, embedding: ImageEmbedding, truth: BoolArray, valid: BoolArray, source: str
) -> RegionResult:
    x, y = _deepest(truth)
    points = [Point(x + 0.5, y + 0.5, 1)]
    previous: FloatArray | None = None
    ious: list[float] = []
    first_score = best = 0.0
    while True:
        answer = predictor.decode([embedding], PromptBatch.single(Prompt(tuple(points)), previous))
        if len(points) == 1:  # ambiguous: the best-scored of the three
            masks = [rles.decode(each) for each in masks_to_rle(answer.logits[0, 1:], *truth.shape)]
            slot = int(answer.scores[0, 1:].argmax()) + 1
            mask = masks[slot - 1]
            first_score = float(answer.scores[0, slot])
            best = max(_iou(each, truth, valid) for each in masks)
        else:
            slot = 0
            mask = rles.decode(masks_to_rle(answer.logits[0, :1], *truth.shape)[0])
        ious.append(_iou(mask, truth, valid))
        if len(points) == MAX_CLICKS or (len(points) >= 3 and max(ious) >= 0.8):
            return RegionResult(source, ious, first_score, best)
        previous = answer.logits[0, slot].cpu().numpy()
        missed, extra = truth & ~mask, mask & ~truth & valid
        error, label = max(((_largest_part(missed), 1), (_largest_part(extra), 0)), key=lambda pair: pair[0].sum())
        if not error.any():
            return RegionResult(source, ious, first_score, best)
        x, y = _deepest(error)
        points.append(Point(x + 0.5, y + 0.5, label))


def _deepest(region: BoolArray) -> tuple[int, int]:
    point = farthest_point(region)
    assert point is not None, "a region to click into is never empty"
    return point


def _iou(mask: BoolArray, truth: BoolArray, valid: BoolArray) -> float:
    union = ((mask | truth) & valid).sum()
    return float((mask & truth).sum() / union) if union else 0.0


def _largest_part(region: BoolArray) -> BoolArray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=8)
    if len(stats) < 2:
        return region
    part: BoolArray = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return part
