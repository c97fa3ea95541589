"""Everything that looks like the examples: a map of likeness, clicks at its peaks, and the answers that fit.

No other model is needed. A linear discriminant (Hariharan, Malik & Ramanan 2012) separates the examples from the
rest of their image on one map of the embedding: what all of the image has in common counts little, what sets the
examples apart counts much. It is linear, so the likeness of a mask is the mean of the map over its pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from annotator.masks import rle as rles
from annotator.masks.geometry import coverage
from annotator.sam import zoo
from annotator.sam.candidates import parts_of, turn_size
from annotator.sam.cleaning import clean
from annotator.sam.postprocess import fetch_masks, stability
from annotator.sam.predictor import ImageEmbedding, MaskLogits, Predictor, PromptBatch
from annotator.sam.threads import in_parallel
from annotator.types import RLE, FloatArray, Point, Prompt, Proposal

_SHRINKAGE = 0.1
"""Share of each channel's own variance that is added to it, so that few cells are enough to learn from."""

_TINY = 1e-6

_BLUR, _APART = 0.15, 0.3
"""How far the map is smoothed, and how far apart clicks are at least, in sizes of the examples."""

_WORTH_A_CLICK = 0.2
"""Least smoothed likeness of a place that is clicked."""

_MAX_CLICKS = 256
"""Clicks in one part of an image."""

_SIZE_TOLERANCE = 0.7
"""Standard deviation of the natural logarithm of areas: twice the area is still 61 % alike, four times 14 %."""

_LEAST = 0.2
"""Similarity below which nothing is proposed; a page may ask for more."""

_OVERLAP = 0.5
"""Of two masks that share more than this part of the smaller one, the more similar one is left."""


Bbox = tuple[int, int, int, int]
"""x, y, w, h in pixels."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """What examples look like. `weight` and `mean` float32 [C] are of the cells of `feature_map`; `area` in pixels.

    The likeness of features x is weight . (x - mean): 1 at the examples' own mean, 0 at their image's.
    """

    weight: Tensor
    mean: Tensor
    area: float

    @torch.inference_mode()
    def likeness(self, embedding: ImageEmbedding) -> Tensor:
        """The map of likeness, float32 [2s, 2s], of an image or a part of one."""
        features = feature_map(embedding)
        return torch.einsum("c,chw->hw", self.weight, features) - self.weight @ self.mean


def feature_map(embedding: ImageEmbedding) -> Tensor:
    """float32 [64, 2s, 2s]: of the embedding's three maps the one that tells alike from unlike best."""
    return F.pixel_shuffle(embedding.feat_s1[None], 2)[0].float()


@torch.inference_mode()
def learn(examples: Sequence[tuple[ImageEmbedding, RLE]]) -> Appearance:
    """The appearance of one object or several, each given by its mask in the image of its embedding."""
    of_examples, of_images, moments = [], [], []
    for embedding, mask in examples:
        features = feature_map(embedding)
        of_examples.append(_pool(features, mask))
        cells = features.flatten(1)
        of_images.append(cells.mean(dim=1))
        moments.append(cells @ cells.T / cells.shape[1])
    mean = torch.stack(of_images).mean(dim=0)
    scatter = torch.stack(moments).mean(dim=0) - torch.outer(mean, mean)
    scatter += torch.diag(_SHRINKAGE * scatter.diagonal() + _TINY)
    apart = torch.stack(of_examples).mean(dim=0) - mean
    weight = torch.linalg.solve(scatter, apart)
    area = math.exp(sum(math.log(max(1, rles.area(mask))) for _, mask in examples) / len(examples))
    return Appearance(weight / (weight @ apart).clamp(min=_TINY), mean, area)


def _pool(features: Tensor, mask: RLE) -> Tensor:
    """The mean [C] of features [C, s, s] over a mask."""
    weights = torch.from_numpy(coverage(mask, features.shape[-1])).to(features.device)
    return torch.einsum("chw,hw->c", features, weights)


class SimilarRun:
    """One search of an image, part by part. What it found is kept as run lengths."""

    def __init__(self, appearance: Appearance, kept: Sequence[RLE], height: int, width: int) -> None:
        """`kept` are masks of the image of `height` x `width` pixels that are not to be found again."""
        self._appearance = appearance
        self._kept = list(kept)
        self._height, self._width = height, width
        self._found: list[Proposal] = []

    def search(self, predictor: Predictor, embedding: ImageEmbedding, left: int, top: int) -> Iterator[None]:
        """Look through the part of the image whose corner is at (left, top), yielding after each batch of clicks."""
        likeness = self._appearance.likeness(embedding)
        clicks = self._clicks(likeness, embedding)
        size = turn_size(predictor)

        def answer(part: slice) -> list[Proposal]:
            return self._answer(predictor, embedding, likeness, clicks[part], left, top)

        for first in range(0, len(clicks), size):
            parts = parts_of(predictor, first, min(first + size, len(clicks)))
            self._found += chain(*in_parallel(answer, parts))
            yield

    def proposals(self) -> list[Proposal]:
        """What was found so far, most similar first, without duplicates and what is kept already."""
        taken = list(self._kept)
        boxes = np.zeros((len(self._kept) + len(self._found), 4), np.int64)
        boxes[: len(taken)] = np.array([rles.bbox(mask) for mask in taken], np.int64).reshape(-1, 4)
        proposals = []
        for each in sorted(self._found, key=lambda found: -(found.similarity or 0)):
            if not any(_is_same(taken[i], each.mask) for i in _touching(boxes[: len(taken)], each.bbox)):
                boxes[len(taken)] = each.bbox
                taken.append(each.mask)
                proposals.append(each)
        return proposals

    def _clicks(self, likeness: Tensor, embedding: ImageEmbedding) -> FloatArray:
        """[K, 2] x, y in pixels of the part: the most alike places, as far apart as such objects are."""
        side = 2 * likeness.shape[0]
        size = side * math.sqrt(self._appearance.area / (embedding.height * embedding.width))
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
        self,
        predictor: Predictor,
        embedding: ImageEmbedding,
        likeness: Tensor,
        clicks: FloatArray,
        left: int,
        top: int,
    ) -> list[Proposal]:
        """The most similar answer to each click, where it is similar enough, in the whole image."""
        answer = predictor.decode([embedding], PromptBatch.points(clicks))
        similarity, slots = self._similarity(answer, likeness, embedding).max(dim=1)
        rows = (similarity >= _LEAST).nonzero()[:, 0]
        logits = answer.logits[rows, slots[rows]]
        share = zoo.spec_of(predictor.model).speck_share
        places = [(float(x), float(y)) for x, y in clicks[rows.numpy(force=True)]]
        if share:
            prompts = [Prompt((Point(x, y, 1),)) for x, y in places]
            logits = clean(logits, share, prompts, embedding.height, embedding.width)
        numbers = torch.stack((answer.scores[rows, slots[rows]].clamp(0, 1), stability(logits), similarity[rows]))
        masks, (columns,) = fetch_masks(logits, embedding.height, embedding.width, numbers)
        found = []
        for mask, (score, steady, similar), (x, y) in zip(masks, columns.T.tolist(), places, strict=True):
            pixels, x0, y0 = rles.decode_crop(mask)
            whole = rles.encode_at(pixels, x0 + left, y0 + top, self._height, self._width)
            box = rles.bbox(whole)
            if box[2] and not self._is_cut(box, embedding, left, top):
                point = (x + left, y + top)
                found.append(Proposal(whole, score, steady, rles.area(whole), box, point, similar))
        return found

    def _similarity(self, answer: MaskLogits, likeness: Tensor, embedding: ImageEmbedding) -> Tensor:
        """[B, 4] in 0..1 of the answers to B clicks: a mean of likeness, agreement in size, and predicted IoU."""
        masks = (answer.logits > 0).float()
        cover = F.avg_pool2d(masks, 2)
        alike = (cover * likeness).sum(dim=(-2, -1)) / cover.sum(dim=(-2, -1)).clamp(min=1e-6)
        areas = masks.mean(dim=(-2, -1)) * (embedding.height * embedding.width)
        off = torch.log(areas.clamp(min=1e-3) / self._appearance.area) / _SIZE_TOLERANCE
        agreement = torch.exp(-off.square() / 2)
        return (alike.clamp(0, 1) * agreement * answer.scores.clamp(0, 1).sqrt()).sqrt()

    def _is_cut(self, box: Bbox, embedding: ImageEmbedding, left: int, top: int) -> bool:
        """Whether a mask ends at a border of its part that lies inside the image: a neighbouring part has all of it."""
        x, y, w, h = box
        right, bottom = left + embedding.width, top + embedding.height
        beside = (x == left and left > 0) or (x + w == right and right < self._width)
        return beside or (y == top and top > 0) or (y + h == bottom and bottom < self._height)


def _touching(boxes: npt.NDArray[np.int64], box: Bbox) -> list[int]:
    """The indices of those of `boxes` [N, 4] that share pixels with `box`."""
    x, y, w, h = boxes.T
    left, top, width, height = box
    across = (x < left + width) & (left < x + w)
    down = (y < top + height) & (top < y + h)
    indices: list[int] = np.flatnonzero(across & down).tolist()
    return indices


def _is_same(a: RLE, b: RLE) -> bool:
    """Whether two masks share too much of the smaller one to be two objects."""
    return rles.area(rles.intersection(a, b)) > _OVERLAP * min(rles.area(a), rles.area(b))


@torch.inference_mode()
def describe(embedding: ImageEmbedding, mask: RLE) -> FloatArray:
    """What a mask of the embedding's image shows, float32 [C] of length 1: colours and textures, and what it is."""
    maps = (feature_map(embedding), embedding.image_embed.float())
    parts = [F.normalize(_pool(each, mask), dim=0) for each in maps]
    vector: FloatArray = F.normalize(torch.cat(parts), dim=0).numpy(force=True)
    return vector
