"""Automatic masks against the official order of operations, written out plainly on the same weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from annotator.masks import edit
from annotator.masks import rle as rles
from annotator.masks.geometry import box_iou
from annotator.sam import zoo
from annotator.sam.automask import AutomaskRun, AutomaskSettings, automask, point_grid, saliency, without_known
from annotator.sam.predictor import ImageEmbedding, MaskLogits, Predictor, PromptBatch
from annotator.types import Proposal

LENIENT = AutomaskSettings(points_per_side=8, iou_threshold=0.2, stability_threshold=0.6, points_per_chunk=16)


def official(predictor: Predictor, embedding: ImageEmbedding, settings: AutomaskSettings) -> list[dict[str, object]]:
    """`SAM2AutomaticMaskGenerator.generate` without crop layers: everything upsampled, then filtered, then NMS."""
    height, width = embedding.height, embedding.width
    grid = point_grid(settings.points_per_side, height, width)
    answer = predictor.decode([embedding], PromptBatch.points(grid))
    low = answer.logits[:, 1:].flatten(0, 1)
    full = torch.cat([F.interpolate(each[None, None], (height, width), mode="bilinear")[0] for each in low])
    scores = answer.scores[:, 1:].flatten()
    keep = scores > settings.iou_threshold
    full, scores = full[keep], scores[keep]
    inner = (full > settings.stability_offset).flatten(1).sum(1)
    outer = (full > -settings.stability_offset).flatten(1).sum(1)
    keep = inner / outer >= settings.stability_threshold  # 0 / 0 is NaN, which compares as False
    full, scores = full[keep], scores[keep]
    masks = (full > 0).numpy()
    boxes = []
    for mask in masks:
        ys, xs = np.nonzero(mask)
        boxes.append((xs.min(), ys.min(), xs.max(), ys.max()))
    kept: list[int] = []
    for i in np.argsort(-scores.numpy(), kind="stable"):
        if all(iou(boxes[i], boxes[j]) <= settings.nms_threshold for j in kept):
            kept.append(int(i))
    return [{"mask": masks[i], "score": float(scores[i]), "box": boxes[i]} for i in kept]


def iou(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return w * h / (area - w * h) if area - w * h else 0.0


def overlap(a: Proposal, b: Proposal) -> float:
    boxes = [np.array([(x, y, x + w, y + h)], np.float32) for x, y, w, h in (a.bbox, b.bbox)]
    return float(box_iou(*boxes)[0, 0])


def test_the_same_masks_as_the_official_order_of_operations(predictor: Predictor, coffee: np.ndarray) -> None:
    (embedding,) = predictor.encode([coffee])
    ours = automask(predictor, embedding, LENIENT)
    theirs = official(predictor, embedding, LENIENT)
    assert len(theirs) >= 3, "the comparison would be empty"
    assert len(ours) == len(theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        # Upsampling sums the same products in another order: a logit within rounding of 0 may fall on either side.
        assert (rles.decode(mine.mask) != reference["mask"]).sum() <= 2
        assert mine.score == pytest.approx(reference["score"], abs=1e-5)


def test_masks_that_several_clicks_agree_on_come_first(predictor: Predictor, coffee: np.ndarray) -> None:
    (embedding,) = predictor.encode([coffee])
    every = automask(predictor, embedding, replace(LENIENT, nms_threshold=1.0))
    (best, *others) = automask(predictor, embedding, replace(LENIENT, by_saliency=True))
    (alone,) = (each for each in every if (each.point, each.area) == (best.point, best.area))
    found = len({each.point for each in every if overlap(each, best) > 0.9})
    assert found > 2, "it is a thing that several clicks find"
    assert best.score == pytest.approx(alone.score * found / (found + (8 / 16) ** 2))
    assert all(LENIENT.iou_threshold < each.score <= best.score for each in others)


def test_clicks_found_the_same_mask_where_one_of_theirs_has_nearly_its_box() -> None:
    big, close, apart = (10, 10, 110, 110), (10, 10, 110, 108), (50, 50, 60, 60)
    boxes = np.array([big, close, big, apart], np.float32)
    # The first click found the big thing twice, which counts once; the last one's mask nobody else found.
    found = saliency(boxes, np.array([0, 0, 1, 2]), 16, 200, 200)
    assert found.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1 / 2])
    many = np.tile(boxes[:1], (600, 1))
    assert saliency(many, np.arange(600), 32, 200, 200).tolist() == pytest.approx([600 / 601] * 600)
    assert saliency(boxes[:0], np.arange(0), 16, 200, 200).tolist() == []


@pytest.mark.parametrize("count", [1, 64, 65, 400])
def test_clicks_are_counted_as_if_every_box_were_compared_with_every_other(count: int) -> None:
    rng = np.random.default_rng(count)
    corners = rng.integers(0, 4, (count, 2)) * 300 + rng.normal(5, 2, (count, 2)).clip(0)
    boxes = np.hstack((corners, corners + 60 + rng.normal(0, 2, (count, 2)))).astype(np.float32)
    clicks = rng.integers(0, count // 2 + 1, count)
    found = np.array([len(set(clicks[row > 0.9])) for row in box_iou(boxes, boxes)])
    expected = found / (found + 1) * np.where((boxes[:, :2] < 1).all(axis=1), 0.85, 1)
    np.testing.assert_allclose(saliency(boxes, clicks, 16, 5000, 5000), expected, rtol=1e-6)


def test_of_a_coarse_grid_fewer_clicks_are_enough() -> None:
    box = np.array([(10, 10, 110, 110)], np.float32)
    assert saliency(box, np.zeros(1), 8, 200, 200).tolist() == pytest.approx([1 / 1.25])


def test_what_runs_out_of_the_image_on_two_sides_stands_out_less() -> None:
    inside, lower_edge, sky = (10, 10, 50, 50), (10, 60, 50, 100), (0, 0, 200, 30)
    within, below, above = saliency(np.array([inside, lower_edge, sky], np.float32), np.arange(3), 16, 100, 200)
    assert within == below > above > 0


def test_thin_masks_are_found_too(predictor: Predictor) -> None:
    (embedding,) = predictor.encode([np.full((1, 300, 3), 120, np.uint8)])
    assert automask(predictor, embedding, replace(LENIENT, by_saliency=True))


def test_only_the_bundled_model_departs_from_the_official_settings() -> None:
    for name, spec in zoo.MODELS.items():
        assert AutomaskSettings.of(spec).by_saliency == (name == "nano")
        assert (AutomaskSettings.of(spec) == AutomaskSettings()) == (name != "nano")


def test_progress_reaches_the_total_in_chunks(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    run = AutomaskRun(AutomaskSettings(points_per_side=9, points_per_chunk=32), embedding.height, embedding.width)
    assert [(each.done, each.total) for each in run.chunks(predictor, embedding)] == [(32, 81), (64, 81), (81, 81)]


def test_nothing_survives_an_impossible_threshold_and_nothing_crashes(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    assert automask(predictor, embedding, AutomaskSettings(points_per_side=4, iou_threshold=1.1)) == []


def test_a_run_that_was_left_goes_on_where_it_was(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    run = AutomaskRun(LENIENT, embedding.height, embedding.width)
    first = run.chunks(predictor, embedding)
    next(first)
    next(first)
    first.close()
    assert run.progress.done == 32
    part = run.proposals()
    assert [each.done for each in run.chunks(predictor, embedding)] == [48, 64]
    assert 0 < len(part) <= len(run.proposals())
    assert run.proposals() == automask(predictor, embedding, LENIENT)


def test_a_run_that_was_forgotten_half_way_starts_anew(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    run = AutomaskRun(LENIENT, embedding.height, embedding.width)
    next(run.chunks(predictor, embedding))
    run.forget()
    assert (run.progress.done, run.proposals()) == (0, [])
    assert [each.done for each in run.chunks(predictor, embedding)] == [16, 32, 48, 64]
    assert run.proposals() == automask(predictor, embedding, LENIENT)
    run.forget()
    assert (run.progress.done, run.proposals()) == (64, [])


class Small:
    """A predictor on a GPU that holds few masks at once."""

    def __init__(self, predictor: Predictor, most: int) -> None:
        self._predictor, self._most, self.device = predictor, most, torch.device("cuda")
        self.sizes: list[int] = []

    def decode(self, embeddings: list[ImageEmbedding], prompts: PromptBatch) -> MaskLogits:
        self.sizes.append(len(prompts))
        if len(prompts) > self._most:
            raise torch.OutOfMemoryError("too many")
        return self._predictor.decode(embeddings, prompts)


def test_chunks_are_halved_where_memory_is_short(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    settings = replace(LENIENT, points_per_side=4)
    small: Any = Small(predictor, most=5)
    assert automask(small, embedding, settings) == automask(predictor, embedding, settings)
    assert small.sizes == [16, 8, 4, 4, 4, 4]
    none: Any = Small(predictor, most=0)
    with pytest.raises(torch.OutOfMemoryError):
        automask(none, embedding, settings)


def test_proposals_describe_their_masks(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    proposals = automask(predictor, embedding, LENIENT)
    assert [each.score for each in proposals] == sorted((each.score for each in proposals), reverse=True)
    for each in proposals:
        mask = rles.decode(each.mask)
        ys, xs = np.nonzero(mask)
        assert mask.shape == cat.shape[:2]
        assert each.area == mask.sum()
        assert each.bbox == (xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
        assert each.stability >= LENIENT.stability_threshold


def test_what_is_known_is_not_found_again(predictor: Predictor, coffee: np.ndarray) -> None:
    (embedding,) = predictor.encode([coffee])
    first, second, *others = automask(predictor, embedding, LENIENT)
    nearly = np.roll(rles.decode(first.mask), 1, axis=0)
    assert without_known([first, second, *others], [rles.encode(nearly)]) == [second, *others]
    assert without_known([first, second], []) == [first, second]
    assert without_known([first], [rles.empty(*coffee.shape[:2])]) == [first]
    assert without_known([], [first.mask]) == []


def test_the_grid_covers_the_image_or_the_region_evenly() -> None:
    assert point_grid(2, 100, 200).tolist() == [[50, 25], [150, 25], [50, 75], [150, 75]]
    assert point_grid(1, 100, 200, (10, 20, 30, 60)).tolist() == [[20, 40]]


def test_of_a_region_come_masks_that_lie_mostly_there(predictor: Predictor, coffee: np.ndarray) -> None:
    (embedding,) = predictor.encode([coffee])
    loose = replace(LENIENT, iou_threshold=-1.0, stability_threshold=0.0, nms_threshold=1.0)
    found = automask(predictor, embedding, loose, (150, 40, 330, 220))
    shares = [rles.decode(each.mask)[40:220, 150:330].sum() / each.area for each in found]
    assert 3 <= len(shares) < 3 * LENIENT.points_per_side**2, "the saucer and the table are left out"
    assert min(shares) >= 0.5


def test_specks_and_holes_are_removed_from_what_is_left(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    rough = automask(predictor, embedding, LENIENT)
    clean = automask(predictor, embedding, replace(LENIENT, min_region_area=200))
    assert len(rough) == len(clean)
    for before, after in zip(rough, clean, strict=True):
        expected = edit.drop_specks(edit.fill_holes(before.mask, 200), 200)
        assert after.mask == (expected if rles.area(expected) else before.mask)
        assert after.area == rles.area(after.mask)
