"""Automatic masks against the official order of operations, written out plainly on the same weights."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from annotator.masks import edit
from annotator.masks import rle as rles
from annotator.sam.automask import AutomaskSettings, Progress, Proposal, automask, point_grid
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch

LENIENT = AutomaskSettings(points_per_side=12, iou_threshold=0.2, stability_threshold=0.6)


def run(generator: Generator[Progress, None, list[Proposal]]) -> tuple[list[Progress], list[Proposal]]:
    steps = []
    while True:
        try:
            steps.append(next(generator))
        except StopIteration as stop:
            return steps, stop.value


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


def test_the_same_masks_as_the_official_order_of_operations(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    _, ours = run(automask(predictor, embedding, LENIENT))
    theirs = official(predictor, embedding, LENIENT)
    assert len(theirs) >= 3, "the comparison would be empty"
    assert len(ours) == len(theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        # Upsampling sums the same products in another order: a logit within rounding of 0 may fall on either side.
        assert (rles.decode(mine.mask) != reference["mask"]).sum() <= 2
        assert mine.score == pytest.approx(reference["score"], abs=1e-5)


def test_progress_reaches_the_total_in_chunks(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    steps, _ = run(automask(predictor, embedding, AutomaskSettings(points_per_side=9, points_per_chunk=32)))
    assert [(each.done, each.total) for each in steps] == [(32, 81), (64, 81), (81, 81)]


def test_nothing_survives_an_impossible_threshold_and_nothing_crashes(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    steps, proposals = run(automask(predictor, embedding, AutomaskSettings(points_per_side=4, iou_threshold=1.1)))
    assert proposals == []
    assert steps[-1].done == 16


def test_a_cancelled_run_does_no_further_work(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    generator = automask(predictor, embedding, AutomaskSettings(points_per_side=8, points_per_chunk=16))
    next(generator)
    generator.close()
    assert next(generator, None) is None


def test_proposals_describe_their_masks(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    _, proposals = run(automask(predictor, embedding, LENIENT))
    assert [each.score for each in proposals] == sorted((each.score for each in proposals), reverse=True)
    for each in proposals:
        mask = rles.decode(each.mask)
        ys, xs = np.nonzero(mask)
        assert mask.shape == cat.shape[:2]
        assert each.area == mask.sum()
        assert each.bbox == (xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
        assert each.stability >= LENIENT.stability_threshold


def test_the_grid_covers_the_image_or_the_region_evenly() -> None:
    assert point_grid(2, 100, 200).tolist() == [[50, 25], [150, 25], [50, 75], [150, 75]]
    assert point_grid(1, 100, 200, (10, 20, 30, 60)).tolist() == [[20, 40]]


def test_specks_and_holes_are_removed_from_what_is_left(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    _, rough = run(automask(predictor, embedding, LENIENT))
    _, clean = run(automask(predictor, embedding, replace(LENIENT, min_region_area=200)))
    assert len(rough) == len(clean)
    for before, after in zip(rough, clean, strict=True):
        expected = edit.drop_specks(edit.fill_holes(before.mask, 200), 200)
        assert after.mask == (expected if rles.area(expected) else before.mask)
        assert after.area == rles.area(after.mask)
