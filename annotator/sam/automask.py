"""Automatic masks: a grid of single clicks, filtered by predicted IoU, stability and overlap.

The official algorithm and defaults (`sam2.automatic_mask_generator`, no crop layers), in chunks of prompts; where a
model needs it, masks that stand out as things come first. Scores are filtered on the decoder's low-resolution
answer, hopelessly unstable masks too; only what survives is upsampled and measured, and only what NMS leaves becomes
run lengths. A GPU is waited for once a chunk and twice at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from annotator.masks import edit
from annotator.masks import rle as rles
from annotator.masks.geometry import box_iou, nms, touching
from annotator.sam.candidates import OFFICIAL_CHUNK, parts_of
from annotator.sam.cleaning import clean
from annotator.sam.postprocess import STABILITY_OFFSET, masks_to_rle, measure, stability
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.sam.threads import in_parallel, never
from annotator.sam.zoo import ModelSpec
from annotator.types import RLE, Box, FloatArray, Point, Prompt, Proposal

_STABILITY_MARGIN = 0.15
"""Stability is decided at full resolution. At low resolution it comes out lower by 0.06 at most (1,134 masks of nano on
22 photos, half of them within 0.003), so what is below the threshold by more than this need not be upsampled."""

_SAME, _ROWS = 0.9, 64
"""Clicks found the same mask if its boxes overlap more than this; so many boxes are compared at a time."""

_USUAL_GRID = 16
"""Clicks along a side of the grid that the weight of agreeing clicks was chosen for."""

_GROUND = 0.85
"""Weight of what runs out of the image on two sides or more: most of it is sky, wall or floor."""

_KNOWN = 0.8
"""A proposal is known if its IoU with a kept mask is higher."""


@dataclass(frozen=True, slots=True)
class AutomaskSettings:
    """Official defaults. `iou_threshold` is strict, `stability_threshold` is not, `nms_threshold` is strict."""

    points_per_side: int = 32
    points_per_chunk: int = OFFICIAL_CHUNK
    iou_threshold: float = 0.8
    stability_threshold: float = 0.95
    stability_offset: float = STABILITY_OFFSET
    nms_threshold: float = 0.7
    by_saliency: bool = False
    """Scores are multiplied by `saliency`, and `iou_threshold` applies to the product."""
    speck_share: float = 0.0
    """Holes and specks of at most this share of the image are removed from every mask before it is measured."""
    min_region_area: int = 0
    """Holes and specks of at most so many pixels are removed from the masks that are left."""

    @classmethod
    def of(cls, spec: ModelSpec, points_per_side: int | None = None, min_region_area: int = 0) -> AutomaskSettings:
        """The settings that suit a model."""
        return cls(
            points_per_side=spec.automask_points if points_per_side is None else points_per_side,
            iou_threshold=spec.automask_iou,
            stability_threshold=spec.automask_stability,
            by_saliency=spec.automask_by_saliency,
            speck_share=spec.speck_share,
            min_region_area=min_region_area,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the `total` clicks are answered."""

    done: int
    total: int


def point_grid(per_side: int, height: int, width: int, region: Box | None = None) -> FloatArray:
    """[per_side ** 2, 2] x, y in pixels: cell centres of an even grid, row by row, over the image or `region`."""
    x0, y0, x1, y1 = region or (0.0, 0.0, float(width), float(height))
    unit = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(x0 + unit * (x1 - x0), y0 + unit * (y1 - y0))
    return np.stack((x.ravel(), y.ravel()), axis=1).astype(np.float32)


def saliency(boxes: FloatArray, clicks: npt.NDArray[Any], per_side: int, height: int, width: int) -> FloatArray:
    """How much each of N masks stands out as a thing, float32 [N], 0 to 1: n / (n + 1) if n clicks found it, less for
    what runs out of the image on two sides or more.

    boxes float32 [N, 4] are x0, y0, x1, y1 of the masks in pixels, past their ends; clicks [N] say which click of a
    grid of `per_side` x `per_side` gave each. Two clicks found the same mask if their boxes have an IoU above 0.9.
    Things are found from all over, accidents from one place: on photos this ranks nano's masks better than its
    predicted IoU alone (training/README.md). Where the grid is coarse, fewer clicks are enough.
    """
    # Boxes overlap that much only if their areas are alike, so in order of area each is compared with few.
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    order = areas.argsort()
    areas, ordered = areas[order], boxes[order]
    names, click = np.unique(clicks[order], return_inverse=True)
    counts = np.zeros(len(boxes), np.float32)
    for start in range(0, len(boxes), _ROWS):
        part = slice(start, min(start + _ROWS, len(boxes)))
        low, high = np.searchsorted(areas, (areas[part.start] * _SAME, areas[part.stop - 1] / _SAME))
        mask, same = np.nonzero(box_iou(ordered[part], ordered[low:high]) > _SAME)
        found = np.zeros((part.stop - start, len(names)), np.bool_)
        found[mask, click[low + same]] = True
        counts[order[part]] = found.sum(axis=1)
    x0, y0, x1, y1 = boxes.T
    sides = sum(side.astype(int) for side in (x0 < 1, y0 < 1, x1 > width - 1, y1 > height - 1))
    agreed = counts / (counts + min(1, (per_side / _USUAL_GRID) ** 2))
    return agreed * np.where(sides >= 2, np.float32(_GROUND), np.float32(1))


class _Found(NamedTuple):
    """What passed the filters on low-resolution logits in one chunk, on the model's device: K masks."""

    logits: Tensor  # [K, s, s]
    table: Tensor  # float64 [K, 8]: the columns of `measure`, the score, the click's place in the grid


class AutomaskRun:
    """One run over one image in chunks; a run that was left can be taken up again.

    A `region` gets a grid of as many clicks, and a mask of which less than a half lies there is left out. The model and
    the embedding are given to each stretch of it. It holds the low-resolution logits of all that passed the filters, on
    the model's device, until `forget`: run lengths are made only of what is left after NMS.
    """

    def __init__(self, settings: AutomaskSettings, height: int, width: int, region: Box | None = None) -> None:
        self.points_per_side, self.region = settings.points_per_side, region
        self._settings = settings
        self._grid = point_grid(settings.points_per_side, height, width, region)
        self._chunk = settings.points_per_chunk
        self._height, self._width = height, width
        self._found: list[_Found] = []
        self._done = 0

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self._done, len(self._grid))

    def chunks(
        self, predictor: Predictor, embedding: ImageEmbedding, pause: Callable[[], bool] = never
    ) -> Iterator[Progress]:
        """Go on from where the run was left, yielding after each chunk, which `pause` ends early (see `in_parallel`).

        Where the device's memory is too small for a chunk, chunks are halved.
        """

        def answer(part: slice) -> _Found:
            answers = predictor.decode([embedding], PromptBatch.points(self._grid[part]))
            return self._passed(answers.logits[:, 1:], answers.scores[:, 1:], part.start)

        while self._done < len(self._grid):
            try:
                parts = parts_of(predictor, self._done, len(self._grid), self._chunk)
                found = in_parallel(answer, parts, pause)
            except torch.OutOfMemoryError:
                if self._chunk == 1:
                    raise
                self._chunk //= 2
                torch.cuda.empty_cache()
                continue
            self._found += found
            self._done = parts[len(found) - 1].stop
            yield self.progress

    def forget(self) -> None:
        """Free what was found: a run at its end stays there, any other starts anew when it goes on."""
        self._found = []
        if self._done < len(self._grid):
            self._done = 0

    def _passed(self, logits: Tensor, scores: Tensor, first: int) -> _Found:
        """What passes of the answers to the clicks from the index `first` on: logits [B, 3, s, s], scores [B, 3].

        Waits for the device once, to count them.
        """
        settings = self._settings
        steady = stability(logits, settings.stability_offset) >= settings.stability_threshold - _STABILITY_MARGIN
        click, slot = ((scores > settings.iou_threshold) & steady).nonzero(as_tuple=True)
        chosen = logits[click, slot]
        if settings.speck_share:
            places = self._grid[first + click.numpy(force=True)].tolist()
            clicks = [Prompt((Point(x, y, 1),)) for x, y in places]
            chosen = clean(chosen, settings.speck_share, clicks, self._height, self._width)
        measures = measure(chosen, self._height, self._width, settings.stability_offset)
        columns = (*measures.T, scores[click, slot], click + first)
        return _Found(chosen, torch.stack([each.double() for each in columns], dim=1))

    def proposals(self) -> list[Proposal]:
        """What was found so far, without duplicates and specks, best score first."""
        parts = list(self._found)
        if not parts:
            return []
        table = torch.cat([each.table for each in parts]).cpu().numpy()
        inner, outer, x0, _, x1, _, scores, clicks = table.T
        steady = inner / np.maximum(outer, 1)
        passed = np.flatnonzero((steady >= self._settings.stability_threshold) & (x1 > x0))
        boxes = table[:, 2:6].astype(np.float32)
        if self._settings.by_saliency:
            scores[passed] *= saliency(boxes[passed], clicks[passed], self.points_per_side, self._height, self._width)
            passed = passed[scores[passed] > self._settings.iou_threshold]
        # Official boxes are inclusive pixel extents, so they are one pixel smaller than ours.
        boxes[:, 2:] -= 1
        kept = passed[nms(boxes[passed], scores[passed].astype(np.float32), self._settings.nms_threshold)]
        logits = [each.logits[i] for each in parts for i in range(len(each.logits))]
        masks = masks_to_rle(torch.stack([logits[i] for i in kept]), self._height, self._width) if len(kept) else []
        found = []
        for i, mask in zip(kept, masks, strict=True):
            if self.region and not _mostly_inside(mask, self.region):
                continue
            x, y = self._grid[int(clicks[i])].tolist()
            found.append(Proposal(mask, float(scores[i]), float(steady[i]), rles.area(mask), rles.bbox(mask), (x, y)))
        area = self._settings.min_region_area
        return [_cleaned(each, area) for each in found] if area else found


def automask(
    predictor: Predictor, embedding: ImageEmbedding, settings: AutomaskSettings, region: Box | None = None
) -> list[Proposal]:
    """A whole run at once."""
    run = AutomaskRun(settings, embedding.height, embedding.width, region)
    for _ in run.chunks(predictor, embedding):
        pass
    return run.proposals()


def without_known(proposals: Sequence[Proposal], known: Sequence[RLE]) -> list[Proposal]:
    """The proposals that are not nearly one of the masks `known` of the same image, with an IoU above 0.8."""
    boxes = np.array([rles.bbox(mask) for mask in known], np.int64).reshape(-1, 4)
    return [
        each for each in proposals if all(rles.iou(each.mask, known[i]) <= _KNOWN for i in touching(boxes, each.bbox))
    ]


def _mostly_inside(mask: RLE, region: Box) -> bool:
    """Whether at least half of a mask lies in a region."""
    pixels, x, y = rles.decode_crop(mask)
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in (region[0] - x, region[1] - y, region[2] - x, region[3] - y))
    return bool(2 * np.count_nonzero(pixels[y0:y1, x0:x1]) >= rles.area(mask))


def _cleaned(proposal: Proposal, area: int) -> Proposal:
    """Without small holes and specks; as it was if nothing else would be left."""
    mask = edit.drop_specks(edit.fill_holes(proposal.mask, area), area)
    if not rles.area(mask):
        return proposal
    return replace(proposal, mask=mask, area=rles.area(mask), bbox=rles.bbox(mask))
