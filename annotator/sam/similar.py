"""Everything that looks like the examples: a map of likeness, clicks at its peaks, and the answers that fit.

No other model is needed. What the examples look like is learnt once to find where to click. The most similar answers
are then taken as further examples, and all answers are judged by what is learnt from those too: one example says little
of how much objects of its kind vary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from annotator.masks import rle as rles
from annotator.masks.geometry import touching
from annotator.sam.appearance import Appearance, feature_map
from annotator.sam.candidates import in_turns
from annotator.sam.cleaning import clean
from annotator.sam.postprocess import fetch_masks, stability
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.sam.threads import never
from annotator.types import RLE, FloatArray, Point, Prompt, Proposal

_BLUR, _APART = 0.15, 0.3
"""How far the map is smoothed, and how far apart clicks are at least, in sizes of the examples."""

_WORTH_A_CLICK = 0.2
"""Least smoothed likeness of a place that is clicked."""

_MAX_CLICKS = 256
"""Clicks in one part of an image."""

_SIZES_AT_FIRST, _SIZES = 1.4, 1.0
"""Standard deviation of the natural logarithm of areas, before and after more examples are taken."""

_MOST_EXAMPLES = 16
_SURE = 0.77
"""So many answers are taken as examples at most, those whose similarity is this share of the highest one's at least."""

_LEAST = 0.4
"""Similarity below which nothing is proposed; a page may ask for more."""

_OVERLAP = 0.5
"""Of two masks that share more than this part of the smaller one, the more similar one is left."""

Bbox = tuple[int, int, int, int]
"""x, y, w, h in pixels."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """One of the masks that the model gave for a click, in the whole image.

    `features` [C] and the logarithm of the area in pixels are of the mask as the decoder gave it; `score` is the
    predicted IoU.
    """

    mask: RLE
    bbox: Bbox
    point: tuple[float, float]
    score: float
    stability: float
    features: Tensor
    log_area: float


class SimilarRun:
    """One search of an image, part by part. What it found is kept as run lengths."""

    def __init__(self, appearance: Appearance, kept: Sequence[RLE], height: int, width: int) -> None:
        """`kept` are masks of the image of `height` x `width` pixels that are not to be found again."""
        self._appearance = appearance
        self._kept = list(kept)
        self._height, self._width = height, width
        self._answers: list[_Answer] = []

    def search(
        self, predictor: Predictor, embedding: ImageEmbedding, left: int, top: int, pause: Callable[[], bool] = never
    ) -> Iterator[None]:
        """Look through the part of the image whose corner is at (left, top), yielding after each batch of clicks.

        `pause` ends a batch early (see `in_parallel`).
        """
        clicks = self._clicks(self._appearance.likeness(embedding), embedding)

        def answer(part: slice) -> list[_Answer]:
            return self._answer(predictor, embedding, clicks[part], left, top)

        for answered in in_turns(predictor, len(clicks), answer, pause):
            self._answers += chain(*answered)
            yield

    @torch.inference_mode()
    def proposals(self) -> list[Proposal]:
        """What was found so far, most similar first, without duplicates and what is kept already."""
        if not self._answers:
            return []
        features = torch.stack([each.features for each in self._answers])
        areas = torch.tensor([each.log_area for each in self._answers], device=features.device)
        scores = torch.tensor([each.score for each in self._answers], device=features.device)
        at_first = _similarity(self._appearance, features, areas, scores, _SIZES_AT_FIRST)
        sure = self._distinct(at_first.tolist(), _SURE * float(at_first.max()), _MOST_EXAMPLES)
        learnt = self._appearance.with_more(features[sure], areas[sure].exp())
        similarity = _similarity(learnt, features, areas, scores, _SIZES).tolist()
        return [self._proposal(self._answers[i], similarity[i]) for i in self._distinct(similarity, _LEAST)]

    def _distinct(self, similarity: Sequence[float], least: float, most: int | None = None) -> list[int]:
        """The indices of the `most` answers that are most similar, best first, at least `least`, no object twice."""
        taken = list(self._kept)
        boxes = np.zeros((len(self._kept) + len(self._answers), 4), np.int64)
        boxes[: len(taken)] = np.array([rles.bbox(mask) for mask in taken], np.int64).reshape(-1, 4)
        chosen: list[int] = []
        for index in sorted(range(len(similarity)), key=lambda each: -similarity[each]):
            if similarity[index] < least or len(chosen) == most:
                break
            each = self._answers[index]
            if not any(_is_same(taken[i], each.mask) for i in touching(boxes[: len(taken)], each.bbox)):
                boxes[len(taken)] = each.bbox
                taken.append(each.mask)
                chosen.append(index)
        return chosen

    @staticmethod
    def _proposal(answer: _Answer, similarity: float) -> Proposal:
        area = rles.area(answer.mask)
        return Proposal(answer.mask, answer.score, answer.stability, area, answer.bbox, answer.point, similarity)

    def _clicks(self, likeness: Tensor, embedding: ImageEmbedding) -> FloatArray:
        """[K, 2] x, y in pixels of the part: the most alike places, as far apart as such objects are."""
        side = 2 * likeness.shape[0]
        size = side * math.sqrt(math.exp(self._appearance.log_area) / (embedding.height * embedding.width))
        values = cv2.resize(likeness.cpu().numpy(), (side, side), interpolation=cv2.INTER_LINEAR)
        smooth = cv2.GaussianBlur(values, (0, 0), max(0.8, _BLUR * size))
        reach = max(1, int(_APART * size))
        around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        rows, columns = np.nonzero((smooth == cv2.dilate(smooth, around)) & (smooth > _WORTH_A_CLICK))
        best = np.argsort(-smooth[rows, columns], kind="stable")[:_MAX_CLICKS]
        cells = np.stack((columns[best], rows[best]), axis=1).astype(np.float32) + np.float32(0.5)
        return cells * np.array((embedding.width / side, embedding.height / side), np.float32)

    @torch.inference_mode()
    def _answer(
        self, predictor: Predictor, embedding: ImageEmbedding, clicks: FloatArray, left: int, top: int
    ) -> list[_Answer]:
        """Those of the four answers to each click that may be similar enough, in the whole image."""
        answer = predictor.decode([embedding], PromptBatch.points(clicks))
        masks = (answer.logits > 0).float()
        features, cells = feature_map(embedding), F.avg_pool2d(masks, 2)
        pooled = torch.einsum("bkhw,chw->bkc", cells, features) / cells.sum(dim=(-2, -1)).clamp(min=1e-6)[..., None]
        areas = (masks.mean(dim=(-2, -1)) * (embedding.height * embedding.width)).clamp(min=1e-3).log()
        scores = answer.scores.clamp(0, 1)
        similarity = _similarity(self._appearance, pooled, areas, scores, _SIZES_AT_FIRST)
        rows, slots = (similarity >= _LEAST).nonzero(as_tuple=True)
        logits = answer.logits[rows, slots]
        share = predictor.spec.speck_share
        places = [(float(x), float(y)) for x, y in clicks[rows.numpy(force=True)]]
        if share:
            prompts = [Prompt((Point(x, y, 1),)) for x, y in places]
            logits = clean(logits, share, prompts, embedding.height, embedding.width)
        numbers = torch.stack((scores[rows, slots], stability(logits), areas[rows, slots]))
        rle, (columns,) = fetch_masks(logits, embedding.height, embedding.width, numbers)
        found = []
        for mask, (x, y), vector, (score, steady, area) in zip(
            rle, places, pooled[rows, slots], columns.T.tolist(), strict=True
        ):
            pixels, x0, y0 = rles.decode_crop(mask)
            whole = rles.encode_at(pixels, x0 + left, y0 + top, self._height, self._width)
            box = rles.bbox(whole)
            if box[2] and not self._is_cut(box, embedding, left, top):
                found.append(_Answer(whole, box, (x + left, y + top), score, steady, vector, area))
        return found

    def _is_cut(self, box: Bbox, embedding: ImageEmbedding, left: int, top: int) -> bool:
        """Whether a mask ends at a border of its part that lies inside the image: a neighbouring part has all of it."""
        x, y, w, h = box
        right, bottom = left + embedding.width, top + embedding.height
        beside = (x == left and left > 0) or (x + w == right and right < self._width)
        return beside or (y == top and top > 0) or (y + h == bottom and bottom < self._height)


def _similarity(appearance: Appearance, features: Tensor, areas: Tensor, scores: Tensor, sizes: float) -> Tensor:
    """0 to 1 for masks of these features [..., C], logarithms of areas [...] and predicted IoU [...].

    The geometric mean of how alike they look (of two numbers), how well they agree in size, and the root of the
    predicted IoU.
    """
    agreement = torch.exp(-((areas - appearance.log_area) / sizes).square() / 2)
    return (appearance.alike(features) * agreement * scores.sqrt()) ** 0.25


def _is_same(a: RLE, b: RLE) -> bool:
    """Whether two masks share too much of the smaller one to be two objects."""
    return rles.area(rles.intersection(a, b)) > _OVERLAP * min(rles.area(a), rles.area(b))
