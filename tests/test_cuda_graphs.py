"""Replayed runs of the mask decoder answer as direct ones; the GPU is played by running the kernels again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from annotator.sam.cuda_graphs import Capture, DecoderGraphs, Tensors
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.serving.engine import Priority
from annotator.serving.local import LocalSegmenter
from annotator.serving.segmenter import ImageSource
from annotator.settings import Settings
from annotator.types import Point, Prompt


class Recorder:
    """What a CUDA graph does, on a CPU: the same memory is read and written again. Counts what it was asked."""

    def __init__(self, fails: bool = False) -> None:
        self.captures = self.replays = 0
        self._fails = fails

    def __call__(self, run: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        self.captures += 1
        if self._fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        results = run()

        def replay() -> None:
            self.replays += 1
            for old, new in zip(results, run(), strict=True):
                old.copy_(new)

        return results, replay


def replaying(predictor: Predictor, capture: Capture) -> Predictor:
    twin = copy.copy(predictor)
    twin.cuda_graphs = DecoderGraphs(capture)
    return twin


def capture_all(predictor: Predictor) -> None:
    while predictor.capture_pending():
        pass


@pytest.fixture(scope="module")
def embeddings(predictor: Predictor) -> list[ImageEmbedding]:
    rng = np.random.default_rng(0)
    return predictor.encode([rng.integers(0, 256, (200, 300, 3), np.uint8) for _ in range(2)])


def click(points: int, refined: bool, seed: int, side: int) -> PromptBatch:
    rng = np.random.default_rng(seed)
    mask = rng.normal(0, 8, (side, side)).astype(np.float32) if refined else None
    xy = rng.random((points, 2)) * (300, 200)
    return PromptBatch.single(Prompt(tuple(Point(float(x), float(y), int(x > 150)) for x, y in xy)), mask)


@pytest.mark.parametrize("refined", [False, True])
def test_every_click_is_answered_as_without_replaying(
    predictor: Predictor, embeddings: list[ImageEmbedding], refined: bool
) -> None:
    recorder = Recorder()
    faster = replaying(predictor, recorder)
    for seed, points in enumerate((1, 2, 1, 3, 2, 1, 16)):
        prompts = click(points, refined, seed, predictor.mask_side)
        image = embeddings[seed % 2 : seed % 2 + 1]
        ours, expected = faster.decode(image, prompts), predictor.decode(image, prompts)
        assert torch.equal(ours.logits, expected.logits)
        assert torch.equal(ours.scores, expected.scores)
        assert torch.equal(ours.object_scores, expected.object_scores)
        capture_all(faster)
    assert (recorder.captures, recorder.replays) == (4, 3)


def test_refining_an_earlier_answer_replays_too(predictor: Predictor, embeddings: list[ImageEmbedding]) -> None:
    recorder = Recorder()
    faster = replaying(predictor, recorder)
    prompt = Prompt((Point(100, 100, 1), Point(200, 50, 0)))
    answers = []
    for _ in range(2):
        first = faster.decode(embeddings[:1], PromptBatch.single(prompt)).logits[0, 0]
        answers.append(faster.decode(embeddings[:1], PromptBatch.single(prompt, first)).logits)
        capture_all(faster)
    assert (recorder.captures, recorder.replays) == (2, 2)
    by_value = PromptBatch.single(
        prompt, predictor.decode(embeddings[:1], PromptBatch.single(prompt)).logits[0, 0].numpy()
    )
    for each in (*answers, predictor.decode(embeddings[:1], by_value).logits):
        assert torch.equal(each, answers[0])


def test_an_answer_outlives_the_next_click(predictor: Predictor, embeddings: list[ImageEmbedding]) -> None:
    faster = replaying(predictor, Recorder())
    faster.decode(embeddings[:1], click(1, False, 0, predictor.mask_side))
    capture_all(faster)
    answer = faster.decode(embeddings[:1], click(1, False, 1, predictor.mask_side))
    before = answer.logits.clone()
    faster.decode(embeddings[:1], click(1, False, 2, predictor.mask_side))
    assert torch.equal(answer.logits, before)


def test_batches_and_long_prompts_are_not_captured(predictor: Predictor, embeddings: list[ImageEmbedding]) -> None:
    recorder = Recorder()
    faster = replaying(predictor, recorder)
    faster.decode(embeddings[:1], click(17, False, 0, predictor.mask_side))
    faster.decode(embeddings[:1], PromptBatch.points(np.ones((2, 2), np.float32)))
    coords, labels = np.ones((1, 1, 2), np.float32), np.ones((1, 1), np.int64)
    faster.decode(embeddings, PromptBatch(coords, labels, np.ones(1, np.int64)))
    capture_all(faster)
    assert recorder.captures == 0


def test_one_memory_for_the_image_serves_every_kind_of_click(
    predictor: Predictor, embeddings: list[ImageEmbedding]
) -> None:
    faster = replaying(predictor, Recorder())
    for points in (1, 2, 3):
        faster.decode(embeddings[:1], click(points, True, 0, predictor.mask_side))
        faster.decode(embeddings[:1], click(points, False, 0, predictor.mask_side))
    capture_all(faster)
    assert faster.cuda_graphs is not None
    images = [each.inputs[0] for each in faster.cuda_graphs._captured.values()]
    assert len(images) == 6
    assert len({each.data_ptr() for each in images}) == 1


def test_the_server_captures_after_a_click_and_replays_the_next(tmp_path: Path, cat: np.ndarray) -> None:
    segmenter = LocalSegmenter(Settings(data_dir=tmp_path, model="nano", device="cpu", compile=False))
    recorder = Recorder()
    segmenter.models.predictor.cuda_graphs = DecoderGraphs(recorder)
    image = ImageSource("cat", *cat.shape[:2], lambda: cat)
    prompt = Prompt((Point(200, 150, 1),))
    first = segmenter.prompt(image, prompt).result()
    segmenter.engine.submit(Priority.BACKGROUND, lambda: None).result(10)  # what was queued before is done then
    assert (recorder.captures, recorder.replays) == (1, 0)
    assert segmenter.prompt(image, prompt).result().candidates == first.candidates
    assert (recorder.captures, recorder.replays) == (1, 1)
    segmenter.close()


def test_kinds_of_clicks_are_captured_one_at_a_time(predictor: Predictor, embeddings: list[ImageEmbedding]) -> None:
    recorder = Recorder()
    faster = replaying(predictor, recorder)
    for points in (1, 2, 3):
        faster.decode(embeddings[:1], click(points, False, 0, predictor.mask_side))
    assert [faster.capture_pending() for _ in range(4)] == [True, True, False, False]
    assert recorder.captures == 3


def test_where_capturing_fails_every_click_is_still_answered(
    predictor: Predictor, embeddings: list[ImageEmbedding], caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(fails=True)
    faster = replaying(predictor, recorder)
    for seed in range(3):
        prompts = click(1, False, seed, predictor.mask_side)
        expected = predictor.decode(embeddings[:1], prompts)
        assert torch.equal(faster.decode(embeddings[:1], prompts).logits, expected.logits)
        capture_all(faster)
    assert recorder.captures == 1
    assert "without CUDA graphs" in caplog.text
