"""The segmenter on two replicas of Ray Serve keeps the promises of the interface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from annotator.masks import rle as rles
from annotator.sam.candidates import find_candidates
from annotator.sam.predictor import Predictor
from annotator.serving.ray_backend import RayReplicas
from annotator.serving.remote import RemoteSegmenter
from annotator.serving.segmenter import ImageSource
from annotator.settings import Settings
from tests.conformity import *  # noqa: F403
from tests.conformity import CLICKS


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteSegmenter]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), model="nano", device="cpu", replicas=2)
    running = RemoteSegmenter(settings, RayReplicas(settings))
    yield running
    running.close()


def test_the_answers_are_those_of_one_process(
    segmenter: RemoteSegmenter, photo: ImageSource, predictor: Predictor, cat: np.ndarray
) -> None:
    (embedding,) = predictor.encode([cat])
    for click in CLICKS:
        found = segmenter.prompt(photo, click).result(60).candidates
        expected = find_candidates(predictor, embedding, click).masks
        for one, other in zip(found, expected, strict=True):  # a replica has fewer threads, which round otherwise
            assert rles.iou(one.mask, other.mask) > 0.99


def test_images_are_spread_over_the_replicas_and_each_stays_with_its_own(segmenter: RemoteSegmenter) -> None:
    def shade(number: int) -> ImageSource:
        return ImageSource(f"shade {number}", 40, 50, lambda: np.full((40, 50, 3), number, np.uint8))

    for visit in range(3):
        for number in range(12):
            answer = segmenter.prompt(shade(number), CLICKS[0]).result(60)
            assert (answer.timing.encode is not None) == (visit == 0)
    encoded = [
        sample.value
        for report in segmenter._reports
        for family in report.metrics
        for sample in family.samples
        if sample.name == "annotator_image_seconds_count" and sample.labels["span"] == "encode"
    ]
    assert len(encoded) == 2 and all(encoded)
