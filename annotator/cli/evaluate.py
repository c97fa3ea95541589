"""How good are the masks? Interactive segmentation simulated on photos with known regions.

The first click goes to the point of the region farthest from its border, each next one likewise into the largest
error (positive where the region was missed, negative where too much was taken), refining the previous answer's logits.
This is the protocol of the interactive-segmentation literature (NoC: number of clicks to reach an IoU).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from annotator.errors import AnnotatorError
from annotator.masks import rle as rles
from annotator.masks.geometry import farthest_point
from annotator.sam.cleaning import clean
from annotator.sam.postprocess import masks_to_rle
from annotator.sam.predictor import ImageEmbedding, MaskLogits, Predictor, PromptBatch
from annotator.types import BoolArray, FloatArray, Point, Prompt

MIN_REGION = 0.005
"""Regions under this fraction of the image are skipped."""
MAX_CLICKS = 20
IGNORE = 255
BORDER = 0.006
"""How far apart two borders may run and still agree, in parts of the image's diagonal."""


@dataclass(frozen=True, slots=True)
class RegionResult:
    """`ious[k]` is the IoU after k + 1 clicks (the last one holds for the rest once 0.8 is passed and 3 are given).

    Of the answer to the first click: `score` is its predicted IoU, `best` the IoU of the best of the three candidates,
    `border` its boundary F (0..1), `pieces` how many connected pieces it has. `box` is the IoU of the answer to the
    region's tight box.
    """

    source: str
    ious: list[float]
    score: float
    best: float
    border: float
    pieces: int
    box: float

    def after(self, clicks: int) -> float:
        """IoU after `clicks` clicks."""
        return self.ious[min(clicks, len(self.ious)) - 1]

    @property
    def clicks_to_80(self) -> int:
        """Clicks until the IoU is 0.8; 20 if it never is."""
        return next((k + 1 for k, iou in enumerate(self.ious) if iou >= 0.8), MAX_CLICKS)


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo [H, W, 3] with the id of each pixel's region [H, W], 0 for none. Only `valid` pixels count."""

    source: str
    pixels: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.int64]
    valid: BoolArray


def read_photos(folder: Path) -> Iterator[LabelledPhoto]:
    """The photos of a folder with images/NAME.jpg and masks/NAME.png, by name.

    Mask values: 0 background, 255 ignored (8-bit masks only), else a region's id. The source of a photo is the part of
    its name before the first underscore. Raises AnnotatorError without images, and for a mask that is missing, cannot
    be read, is not one number a pixel, or has another size than its image.
    """
    paths = sorted((folder / "images").glob("*.jpg"))
    if not paths:
        raise AnnotatorError(f"{folder} holds no images/*.jpg to evaluate on.")
    for path in paths:
        pixels = _read(path, "RGB")
        ids = _read(folder / "masks" / f"{path.stem}.png")
        if ids.ndim != 2:
            raise AnnotatorError(f"The mask {path.stem}.png should have one number a pixel, the id of its region.")
        if ids.shape != pixels.shape[:2]:
            (height, width), (h, w) = pixels.shape[:2], ids.shape
            raise AnnotatorError(f"The mask {path.stem}.png is {w} x {h} pixels, its image {width} x {height}.")
        valid = np.ones(ids.shape, np.bool_) if ids.dtype != np.uint8 else ids != IGNORE
        yield LabelledPhoto(path.stem.split("_")[0], pixels, ids.astype(np.int64), valid)


def _read(path: Path, mode: str | None = None) -> npt.NDArray[Any]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode) if mode else image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        why = "it is missing" if isinstance(error, FileNotFoundError) else "it is damaged or no picture"
        raise AnnotatorError(f"{path} could not be read ({why}).") from None


def evaluate(
    predictor: Predictor,
    photos: Iterable[LabelledPhoto],
    share: float,
    limit: int | None = None,
    clicks: int = MAX_CLICKS,
) -> Iterator[list[RegionResult]]:
    """Yield the results of one photo after the other.

    Answers are cleaned of holes and specks of at most `share` of the image, but refined as the model gave them. Of each
    photo at most `limit` regions are taken, chosen at random with a fixed seed, with at most `clicks` clicks each.
    """
    rng = np.random.default_rng(0)
    for photo in photos:
        regions, areas = np.unique(photo.ids[photo.valid & (photo.ids > 0)], return_counts=True)
        regions = rng.permutation(regions[areas >= MIN_REGION * photo.ids.size])[:limit]
        (embedding,) = predictor.encode([photo.pixels])
        task = _Task(predictor, embedding, photo.valid, share, photo.source, clicks)
        yield [task.measure((photo.ids == region) & photo.valid) for region in regions]


def summary(results: list[RegionResult]) -> dict[str, float]:
    """The figures of the last line.

    mIoU after 1 and 3 clicks, NoC@80, regions; how honest the scores are (of the first answer); its boundary F; how
    often it is one connected piece; and the mIoU of box prompts.
    """
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
        "boundary_f": float(np.mean([each.border for each in results])),
        "connected": float(np.mean([each.pieces == 1 for each in results])),
        "miou_box": float(np.mean([each.box for each in results])),
    }


def by_source(results: list[RegionResult]) -> dict[str, dict[str, float]]:
    """A summary per source."""
    groups: dict[str, list[RegionResult]] = defaultdict(list)
    for each in results:
        groups[each.source].append(each)
    return {name: summary(group) for name, group in sorted(groups.items())}


def boundary_f(mask: BoolArray, truth: BoolArray) -> float:
    """How well two borders agree, 0..1: the harmonic mean of the shares of each that lie near the other.

    Near is within BORDER of the image's diagonal (Perazzi et al. 2016, the F of DAVIS); 1 where neither has a border.
    """
    near = BORDER * float(np.hypot(*truth.shape))
    borders = _border(mask), _border(truth)
    if not all(each.any() for each in borders):
        return float(not any(each.any() for each in borders))
    away = [cv2.distanceTransform((~each).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for each in borders]
    precision, recall = ((far[each] <= near).mean() for each, far in zip(borders, reversed(away), strict=True))
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _border(mask: BoolArray) -> BoolArray:
    """The pixels of a mask [H, W] with a neighbour outside it; the edge of the image is no border."""
    framed = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inner = cv2.erode(framed, np.ones((3, 3), np.uint8))[1:-1, 1:-1].astype(np.bool_)
    edge: BoolArray = mask & ~inner
    return edge


@dataclass(frozen=True, slots=True)
class _Task:
    """An image whose regions are clicked on."""

    predictor: Predictor
    embedding: ImageEmbedding
    valid: BoolArray
    share: float
    source: str
    clicks: int

    def answer(self, prompt: Prompt, previous: FloatArray | None = None) -> MaskLogits:
        """The model's answer to one prompt."""
        return self.predictor.decode([self.embedding], PromptBatch.single(prompt, previous))

    def masks(self, logits: Tensor, prompt: Prompt) -> list[BoolArray]:
        """Logits [K, s, s] of the answers to a prompt to what a person would see, [H, W] each."""
        height, width = self.valid.shape
        if self.share:
            logits = clean(logits, self.share, [prompt] * len(logits), height, width)
        return [rles.decode(each) for each in masks_to_rle(logits, height, width)]

    def measure(self, truth: BoolArray) -> RegionResult:
        """Click on one region [H, W] until it is found, and draw its box."""
        x, y = _deepest(truth)
        points = [Point(x + 0.5, y + 0.5, 1)]
        prompt = Prompt(tuple(points))
        answer = self.answer(prompt)
        three = self.masks(answer.logits[0, 1:], prompt)  # ambiguous: the best-scored of the three
        slot = int(answer.scores[0, 1:].argmax()) + 1
        mask = first = three[slot - 1]
        score = float(answer.scores[0, slot])
        ious = [_iou(mask, truth, self.valid)]
        while len(points) < self.clicks and not (len(points) >= 3 and max(ious) >= 0.8):
            missed, extra = truth & ~mask, mask & ~truth & self.valid
            error, label = max(((_largest_part(missed), 1), (_largest_part(extra), 0)), key=lambda pair: pair[0].sum())
            if not error.any():
                break
            x, y = _deepest(error)
            points.append(Point(x + 0.5, y + 0.5, label))
            prompt = Prompt(tuple(points))
            answer = self.answer(prompt, answer.logits[0, slot].cpu().numpy())
            slot = 0
            (mask,) = self.masks(answer.logits[0, :1], prompt)
            ious.append(_iou(mask, truth, self.valid))
        x, y, width, height = cv2.boundingRect(truth.view(np.uint8))
        box = Prompt(box=(x, y, x + width, y + height))
        (boxed,) = self.masks(self.answer(box).logits[0, :1], box)
        return RegionResult(
            self.source,
            ious,
            score,
            best=max(_iou(each, truth, self.valid) for each in three),
            border=boundary_f(first & self.valid, truth),
            pieces=cv2.connectedComponents(first.view(np.uint8), connectivity=8)[0] - 1,
            box=_iou(boxed, truth, self.valid),
        )


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
