"""What every `Segmenter` promises. A test file imports all of this and has the fixture `segmenter`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from annotator.errors import NotFound
from annotator.masks import rle as rles
from annotator.sam.candidates import find_candidates
from annotator.sam.predictor import Predictor
from annotator.serving.segmenter import (
    AutomaskOptions,
    Example,
    ImageSource,
    JobStatus,
    Part,
    Refinement,
    Segmenter,
    SimilarOptions,
)
from annotator.types import Point, Prompt

CLICKS = [Prompt((Point(200, 150, 1),)), Prompt((Point(60, 80, 1),))]
MIXED: list[Prompt] = [
    *CLICKS,
    Prompt(box=(100, 50, 300, 250)),
    Prompt((Point(200, 150, 1), Point(20, 20, 0))),
    Prompt((Point(210, 140, 1),), box=(100, 50, 300, 250)),
]


@pytest.fixture
def photo(cat: np.ndarray) -> ImageSource:
    """The cat as an image that nobody has seen yet."""
    return ImageSource(uuid.uuid4().hex, *cat.shape[:2], lambda: cat)


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(segmenter: Segmenter, job_id: str) -> JobStatus:
    until(lambda: segmenter.poll_job(job_id).state != "running")
    return segmenter.poll_job(job_id)


@pytest.mark.parametrize("copies", [1, 5])
def test_many_objects_at_once_get_the_masks_they_get_one_by_one(
    segmenter: Segmenter, photo: ImageSource, copies: int
) -> None:
    many = segmenter.prompt_many(photo, MIXED * copies).result(60)
    single = [segmenter.prompt(photo, each).result(60).candidates[0] for each in MIXED]
    assert len(many) == len(MIXED) * copies
    for index, candidate in enumerate(many):
        expected = single[index % len(MIXED)]
        assert rles.iou(candidate.mask, expected.mask) > 0.999
        assert candidate.score == pytest.approx(expected.score, abs=1e-4)


def test_a_prompt_refines_the_answer_it_names_and_no_other_image_s(
    segmenter: Segmenter, photo: ImageSource, predictor: Predictor, cat: np.ndarray
) -> None:
    first = segmenter.prompt(photo, CLICKS[0]).result(60)
    more = Prompt((*CLICKS[0].points, Point(20, 20, 0)))
    refined = segmenter.prompt(photo, more, Refinement(first.token, 0)).result(60)
    (embedding,) = predictor.encode([cat])
    logits = find_candidates(predictor, embedding, CLICKS[0]).logits[0]
    expected = find_candidates(predictor, embedding, more, logits).masks
    assert [each.mask for each in refined.candidates] == [each.mask for each in expected]
    elsewhere = ImageSource(f"{photo.key} elsewhere", photo.height, photo.width, photo.load)
    plain = segmenter.prompt(elsewhere, more).result(60)
    assert segmenter.prompt(elsewhere, more, Refinement(first.token, 0)).result(60).candidates == plain.candidates
    assert refined.refined and not plain.refined
    assert refined.candidates != plain.candidates


def test_an_image_is_encoded_when_it_is_opened(segmenter: Segmenter, photo: ImageSource) -> None:
    following = ImageSource(f"{photo.key} 2", photo.height, photo.width, photo.load)
    assert not segmenter.has_embedding(photo.key)
    segmenter.encode(photo, [following], "group")
    until(lambda: segmenter.has_embedding(photo.key) and segmenter.has_embedding(following.key))
    assert segmenter.prompt(photo, CLICKS[0]).result(60).timing.encode is None


def test_an_image_that_cannot_be_read_says_so_until_it_can(
    segmenter: Segmenter, photo: ImageSource, caplog: pytest.LogCaptureFixture
) -> None:
    def gone() -> Any:
        raise OSError(5, "Input/output error")

    damaged = ImageSource(photo.key, photo.height, photo.width, gone)
    assert segmenter.encoding_error(damaged.key) is None
    segmenter.encode(damaged, [], "group")
    until(lambda: segmenter.encoding_error(damaged.key))
    assert "cannot be read" in (segmenter.encoding_error(damaged.key) or "")
    until(lambda: "could not be encoded" in caplog.text)
    with pytest.raises(Exception, match="cannot be read"):
        segmenter.prompt(damaged, CLICKS[0]).result(60)
    segmenter.prompt(photo, CLICKS[0]).result(60)
    assert segmenter.encoding_error(damaged.key) is None


def test_a_run_can_be_followed_stopped_and_gone_on_with(segmenter: Segmenter, photo: ImageSource) -> None:
    for method in (segmenter.poll_job, segmenter.cancel_job, segmenter.resume_job):
        with pytest.raises(NotFound, match="start it again"):
            method("unknown")
    segmenter.start_automask(photo.key, photo, AutomaskOptions(points_per_side=6))
    segmenter.cancel_job(photo.key)
    assert ended(segmenter, photo.key).state in ("cancelled", "done")
    segmenter.resume_job(photo.key)
    status = ended(segmenter, photo.key)
    assert (status.state, status.done, status.total) == ("done", 36, 36)
    assert status.proposals


def test_similar_objects_are_found_in_the_parts_of_an_image(
    segmenter: Segmenter, photo: ImageSource, cat: np.ndarray
) -> None:
    def part(x: int) -> Part:
        return Part(x, 0, ImageSource(f"{photo.key}:{x},0,300,300", 300, 300, lambda: cat[:, x : x + 300]))

    eye = segmenter.prompt(photo, CLICKS[0]).result(60).candidates[0].mask
    options = SimilarOptions([Example(photo, eye)], [part(0), part(151)], [], *cat.shape[:2])
    segmenter.start_similar(f"{photo.key} similar", options)
    status = ended(segmenter, f"{photo.key} similar")
    assert (status.state, status.done, status.total) == ("done", 2, 2)
    assert all(0 < (each.similarity or 0) <= 1 for each in status.proposals)


def test_objects_are_described_only_where_their_image_is_encoded(segmenter: Segmenter, photo: ImageSource) -> None:
    mask = segmenter.prompt(photo, CLICKS[0]).result(60).candidates[0].mask
    elsewhere = ImageSource("never encoded", photo.height, photo.width, photo.load)
    known, unknown, again = segmenter.describe([(photo, mask), (elsewhere, mask), (photo, mask)]).result(60)
    assert known is not None
    assert np.linalg.norm(known) == pytest.approx(1)
    assert unknown is None
    np.testing.assert_array_equal(known, again)


def test_only_a_model_that_there_is_can_be_switched_to(segmenter: Segmenter, photo: ImageSource) -> None:
    until(lambda: segmenter.info().name == "nano")
    with pytest.raises(NotFound):
        segmenter.switch("no such model")
    segmenter.switch("nano")
    until(lambda: segmenter.info().loading is None and segmenter.info().reason == "chosen in the page")
    assert segmenter.prompt(photo, CLICKS[0]).result(60).candidates
