"""A device without memory: embeddings are dropped, less is done at once, it is tried once more, then it is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from annotator.errors import ModelUnavailable
from annotator.masks import rle as rles
from annotator.sam.predictor import Predictor
from annotator.serving.local import LocalSegmenter
from annotator.serving.memory import OUT_OF_MEMORY
from annotator.serving.segmenter import AutomaskOptions, ImageSource
from annotator.settings import Settings
from annotator.types import Point, Prompt

CLICKS = [Prompt((Point(200, 150, 1),)), Prompt((Point(60, 80, 1),))]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSegmenter]:
    folder = tmp_path_factory.mktemp("data")
    running = LocalSegmenter(Settings(data_dir=folder, model="nano", device="cpu", compile=False))
    yield running
    running.close()


@pytest.fixture
def photo(cat: np.ndarray, request: pytest.FixtureRequest) -> ImageSource:
    return ImageSource(request.node.name, *cat.shape[:2], lambda: cat)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[int]]:
    """Lets a method of the predictor fail so many times for want of memory. Returns a list of its calls."""

    def shorten(name: str, times: int) -> list[int]:
        calls: list[int] = []
        real = getattr(Predictor, name)

        def call(*arguments: Any) -> Any:
            calls.append(1)
            if len(calls) <= times:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return real(*arguments)

        monkeypatch.setattr(Predictor, name, call)
        return calls

    return shorten


def test_an_image_is_encoded_after_others_were_evicted(
    segmenter: LocalSegmenter, photo: ImageSource, cat: np.ndarray, short: Callable[[str, int], list[int]]
) -> None:
    segmenter.prompt(ImageSource("other", *cat.shape[:2], lambda: cat), CLICKS[0]).result(60)
    assert segmenter.cache._memory[0].nbytes
    calls = short("encode", 1)
    assert segmenter.prompt(photo, CLICKS[0]).result(60).candidates
    assert len(calls) == 2
    assert len(segmenter.cache._memory[0]._entries) == 1, "the other one was evicted"


def test_what_does_not_fit_after_all_is_one_sentence_and_the_next_click_is_answered(
    segmenter: LocalSegmenter, photo: ImageSource, short: Callable[[str, int], list[int]]
) -> None:
    short("encode", 2)
    with pytest.raises(ModelUnavailable, match="too little memory"):
        segmenter.prompt(photo, CLICKS[0]).result(60)
    assert segmenter.prompt(photo, CLICKS[0]).result(60).candidates


def test_many_objects_are_decoded_one_by_one(
    segmenter: LocalSegmenter, photo: ImageSource, short: Callable[[str, int], list[int]]
) -> None:
    expected = segmenter.prompt_many(photo, CLICKS).result(60)
    short("decode", 2)
    found = segmenter.prompt_many(photo, CLICKS).result(60)
    assert all(rles.iou(a.mask, b.mask) > 0.999 for a, b in zip(found, expected, strict=True))


def test_clicks_decoded_together_are_decoded_alone_and_after_that_fail_alone(
    segmenter: LocalSegmenter, photo: ImageSource, short: Callable[[str, int], list[int]]
) -> None:
    segmenter.prompt(photo, CLICKS[0]).result(60)
    short("decode", 3)  # the batch, and both tries of the first one
    first, second = (segmenter.prompt(photo, each) for each in CLICKS)
    with pytest.raises(ModelUnavailable):
        first.result(60)
    assert second.result(60).candidates


@pytest.mark.parametrize(("times", "state", "told"), [(4, "done", None), (100, "failed", OUT_OF_MEMORY)])
def test_a_run_goes_on_once_more_and_then_says_what_is_missing(
    segmenter: LocalSegmenter,
    photo: ImageSource,
    short: Callable[[str, int], list[int]],
    times: int,
    state: str,
    told: str | None,
) -> None:
    segmenter.prompt(photo, CLICKS[0]).result(60)
    short("decode", times)  # chunks of 8, 4, 2 and 1 click
    segmenter.start_automask(photo.key, photo, AutomaskOptions(4))
    while (status := segmenter.poll_job(photo.key)).state == "running":
        time.sleep(0.01)
    assert (status.state, status.error) == (state, told)
