"""The answers to a prompt: which, in what order, and the same however they reach the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.candidates import (
    Decoded,
    Question,
    choose_candidates,
    decode_in_batches,
    decode_together,
    find_best,
    find_candidates,
)
from annotator.sam.cleaning import clean
from annotator.sam.postprocess import fetch_from_device, fetch_masks, masks_to_rle, stability
from annotator.sam.predictor import MAX_IMAGES, ImageEmbedding, Predictor, PromptBatch
from annotator.sam.threads import one_thread
from annotator.types import Point, Prompt

CLICK = Prompt((Point(200, 150, 1),))
TWO = Prompt((Point(200, 150, 1), Point(10, 10, 0)))
BOX = Prompt(box=(60, 20, 400, 290))


@pytest.fixture(scope="module")
def embedding(predictor: Predictor, cat: np.ndarray) -> ImageEmbedding:
    return predictor.encode([cat])[0]


@pytest.mark.parametrize(("prompt", "refined"), [(CLICK, False), (CLICK, True), (TWO, False), (BOX, False)])
def test_candidates_come_in_the_order_official_sam_recommends(
    predictor: Predictor, embedding: ImageEmbedding, prompt: Prompt, refined: bool
) -> None:
    mask = np.full((predictor.mask_side,) * 2, -4, np.float32) if refined else None
    with one_thread():  # as `find_candidates`: another number of threads adds up in another order
        answer = predictor.decode([embedding], PromptBatch.single(prompt, mask))
    best = sorted((1, 2, 3), key=lambda slot: -float(answer.scores[0, slot]))
    slots = best if prompt is CLICK and not refined else [0, *best[:2]]
    found = find_candidates(predictor, embedding, prompt, mask)
    assert [each.score for each in found.masks] == answer.scores[0, slots].clamp(0, 1).tolist()
    assert [each.stability for each in found.masks] == stability(answer.logits[0, slots]).tolist()
    assert np.array_equal(found.logits, answer.logits[0, slots].numpy())
    for each, slot in zip(found.masks, slots, strict=True):
        size = embedding.height, embedding.width
        cleaned = clean(answer.logits[0, [slot]], zoo.MODELS["nano"].speck_share, [prompt], *size)
        assert each.mask == masks_to_rle(cleaned, *size)[0]


def test_the_best_alone_is_the_first_of_all(predictor: Predictor, embedding: ImageEmbedding) -> None:
    (best,) = find_candidates(predictor, embedding, CLICK, keep=1).masks
    assert best == find_candidates(predictor, embedding, CLICK).masks[0]


def test_many_objects_get_the_masks_that_each_alone_gets(predictor: Predictor, embedding: ImageEmbedding) -> None:
    prompts = [CLICK, TWO, BOX] * 4  # kinds that are decoded apart, in more batches than there are cores
    found = {place: each for some in find_best(predictor, embedding, prompts) for place, each in some.items()}
    assert sorted(found) == list(range(12))
    for place, prompt in enumerate(prompts):
        (alone,) = find_candidates(predictor, embedding, prompt, keep=1).masks
        assert rles.iou(found[place].mask, alone.mask) > 0.999
        assert found[place].score == pytest.approx(alone.score, abs=1e-4)


def test_stages_are_timed(predictor: Predictor, embedding: ImageEmbedding) -> None:
    found = find_candidates(predictor, embedding, CLICK)
    assert found.decode_ms > 0
    assert found.postprocess_ms > 0


@pytest.mark.parametrize("capacity", [1 << 16, 5], ids=["enough room", "more flips than there is room for"])
def test_the_one_copy_from_a_device_brings_the_same_masks(capacity: int) -> None:
    noise = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    logits = F.interpolate(noise, (64, 64), mode="bicubic")[:, 0]
    logits[1] = -1  # a mask that is nowhere, between two others
    others = torch.rand(2, 3), torch.arange(4, dtype=torch.int32)
    masks, values = fetch_from_device(logits, 90, 130, others, capacity)
    expected, _ = fetch_masks(logits, 90, 130)
    full = F.interpolate(logits[:, None], (90, 130), mode="bilinear")[:, 0] > 0
    for mask, whole, windowed in zip(masks, full.numpy(), expected, strict=True):
        assert np.array_equal(rles.decode(mask), whole)
        assert (rles.decode(windowed) != whole).sum() <= 2  # the order of a sum differs
    for value, other in zip(values, others, strict=True):
        assert np.array_equal(value, other.numpy())
        assert value.dtype == other.numpy().dtype


@pytest.mark.parametrize("level", [-1.0, 1.0])
def test_an_empty_and_a_full_mask_survive_the_copy(level: float) -> None:
    masks, _ = fetch_from_device(torch.full((2, 8, 8), level), 20, 30, (), 50)
    assert [mask.counts.tolist() for mask in masks] == [[600] if level < 0 else [0, 600]] * 2


@pytest.mark.parametrize("decode", [decode_together, decode_in_batches])
def test_questions_on_several_images_decoded_together_are_answered_as_each_alone(
    predictor: Predictor,
    embedding: ImageEmbedding,
    cat: np.ndarray,
    decode: Callable[[Predictor, Sequence[Question]], list[Decoded]],
) -> None:
    (turned,) = predictor.encode([np.ascontiguousarray(cat.transpose(1, 0, 2))])
    before = find_candidates(predictor, embedding, CLICK).logits[0]
    questions = [
        *(Question(each, CLICK) for each in (embedding, turned)),
        *(Question(embedding, prompt) for prompt in (TWO, BOX)),
        Question(turned, TWO),
        Question(embedding, TWO, before),
        Question(embedding, BOX, before.numpy()),
        *[Question(turned, CLICK)] * MAX_IMAGES,
    ]
    for question, decoded in zip(questions, decode(predictor, questions), strict=True):
        together = choose_candidates(predictor, question, decoded).masks
        alone = find_candidates(predictor, question.embedding, question.prompt, question.mask_input).masks
        for a, b in zip(together, alone, strict=True):
            assert rles.iou(a.mask, b.mask) > 0.999
            assert a.score == pytest.approx(b.score, abs=1e-4)
