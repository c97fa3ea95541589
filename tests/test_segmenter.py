"""The interface in front of the model: the program runs on any implementation, and ours keeps its promises."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from annotator.errors import Busy, Cancelled, Conflict
from annotator.sam.predictor import ImageEmbedding, MaskLogits, Predictor, PromptBatch
from annotator.serving.engine import Priority
from annotator.serving.local import LocalSegmenter
from annotator.serving.segmenter import (
    Answer,
    AutomaskOptions,
    Example,
    ImageSource,
    JobStatus,
    Part,
    SimilarOptions,
    caller,
)
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import Point, Prompt
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.conformity import until
from tests.conftest import all_done
from tests.fake_segmenter import FakeSegmenter

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"


def test_the_program_runs_on_any_segmenter(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, allowed_hosts=("test",))
    fake = FakeSegmenter()
    app = create_app(Workspace(settings, Store(settings.store_url), fake), settings, page=False)
    with TestClient(app, base_url="http://test") as client:
        project = client.get("/api/v1/status").json()["project_id"]
        (label,) = client.get(f"/api/v1/projects/{project}/labels").json()
        files = {"files": ("cat.jpg", (SAMPLES / "skimage_chelsea.jpg").read_bytes())}
        (image,) = client.post(f"/api/v1/projects/{project}/images", files=files).json()["images"]
        url = f"/api/v1/images/{image['id']}"
        assert client.post(f"{url}/open").json()["image"]["embedding"] == "ready"
        (found,) = client.post(f"{url}/prompt", json={"points": [[50, 60, 1]]}).json()["candidates"]
        assert found["area"] == pytest.approx(np.pi * 81, rel=0.05)
        kept = client.post(f"{url}/annotations", json={"label_id": label["id"], "mask": found["mask"]}).json()
        assert kept["annotation"]["bbox"] == [41, 51, 19, 19]
        job_id = client.post(f"{url}/automask", json={}).json()["job_id"]
        (whole,) = client.get(f"/api/v1/jobs/{job_id}").json()["proposals"]
        assert whole["area"] == 300 * 451
        assert client.put("/api/v1/model", json={"name": "other"}).json()["model"]["name"] == "other"


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSegmenter]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), model="nano", device="cpu", compile=False)
    running = LocalSegmenter(settings)
    yield running
    running.close()


@pytest.fixture
def photo(cat: np.ndarray, request: pytest.FixtureRequest) -> ImageSource:
    return ImageSource(request.node.name, *cat.shape[:2], lambda: cat)


CLICKS = [Prompt((Point(200, 150, 1),)), Prompt((Point(60, 80, 1),))]


def test_a_prompt_on_an_image_that_cannot_be_read_says_so_and_opening_it_is_remembered_as_failed(
    segmenter: LocalSegmenter, photo: ImageSource, caplog: pytest.LogCaptureFixture
) -> None:
    def gone() -> Any:
        raise OSError(5, "Input/output error")

    damaged = ImageSource("damaged", 10, 10, gone)
    assert segmenter.encoding_error("damaged") is None
    segmenter.encode(damaged, [], "group")
    all_done(segmenter.engine)
    assert "cannot be read" in (segmenter.encoding_error("damaged") or "")
    assert "could not be encoded" in caplog.text
    with pytest.raises(Exception, match="cannot be read"):
        segmenter.prompt(damaged, CLICKS[0]).result(60)
    mended = ImageSource("damaged", photo.height, photo.width, photo.load)
    segmenter.prompt(mended, CLICKS[0]).result(60)
    assert segmenter.encoding_error("damaged") is None


def test_opening_images_of_one_group_leaves_the_upcoming_ones_of_another_group_and_user(
    segmenter: LocalSegmenter, photo: ImageSource
) -> None:
    def named(name: str) -> ImageSource:
        return ImageSource(f"{photo.key} {name}", photo.height, photo.width, photo.load)

    gate = threading.Event()
    segmenter.engine.submit(Priority.CLICK, lambda: gate.wait(60))
    segmenter.encode(named("a"), [named("next of a")], "a")
    segmenter.encode(named("b"), [named("next of b")], "b")
    segmenter.encode(named("a2"), [named("next of a2")], "a")
    token = caller.set("somebody else")
    segmenter.encode(named("c"), [named("next of c")], "a")
    caller.reset(token)
    gate.set()
    all_done(segmenter.engine)
    ready = {
        name
        for name in ("a", "b", "a2", "c", "next of a", "next of b", "next of a2", "next of c")
        if segmenter.has_embedding(named(name).key)
    }
    assert ready == {"a", "b", "a2", "c", "next of b", "next of a2", "next of c"}


def test_automatic_masks_that_fail_end_as_failed_with_a_sentence(
    segmenter: LocalSegmenter, photo: ImageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.sam.automask.AutomaskRun.proposals", lambda _: 1 / 0)
    segmenter.start_automask("broken", photo, AutomaskOptions(points_per_side=1))
    status = ended(segmenter, "broken")
    assert (status.state, status.proposals) == ("failed", [])
    assert "The search for masks failed" in (status.error or "")


def test_a_search_for_similar_objects_can_be_stopped_and_goes_on(segmenter: LocalSegmenter, photo: ImageSource) -> None:
    eye = segmenter.prompt(photo, CLICKS[0]).result(60).candidates[0].mask
    options = SimilarOptions([Example(photo, eye)], [Part(0, 0, photo), Part(0, 0, photo)], [], *photo.load().shape[:2])
    gate = threading.Event()
    segmenter.engine.submit(Priority.CLICK, lambda: gate.wait(60))
    segmenter.start_similar("alike", options)
    segmenter.cancel_job("alike")
    with pytest.raises(Conflict, match="being stopped"):
        segmenter.resume_job("alike")
    gate.set()
    assert ended(segmenter, "alike").state == "cancelled"
    segmenter.resume_job("alike")
    status = ended(segmenter, "alike")
    assert (status.state, status.done, status.total) == ("done", 2, 2)
    assert all(0 < (each.similarity or 0) <= 1 for each in status.proposals)


def test_people_who_start_or_go_on_with_one_run_at_once_queue_it_once(
    segmenter: LocalSegmenter, photo: ImageSource
) -> None:
    options = AutomaskOptions(points_per_side=1)

    def waiting_after(act: Callable[[], None]) -> int:
        gate = threading.Event()
        segmenter.engine.submit(Priority.CLICK, lambda: gate.wait(60))
        at_once(act)
        segmenter.cancel_job("shared")
        waiting = segmenter.engine.waiting(Priority.BACKGROUND)
        gate.set()
        assert ended(segmenter, "shared").state == "cancelled"
        return waiting

    all_done(segmenter.engine)
    assert waiting_after(lambda: segmenter.start_automask("shared", photo, options)) == 1
    assert [waiting_after(lambda: segmenter.resume_job("shared")) for _ in range(20)] == [1] * 20


def at_once(act: Callable[[], None], people: int = 8) -> None:
    """Call `act` from several threads that take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(people) as pool:
            together = threading.Barrier(people)
            for each in [pool.submit(lambda: (together.wait(60), act())) for _ in range(people)]:
                each.result(60)
    finally:
        sys.setswitchinterval(interval)


def test_a_run_that_cannot_go_on_yet_keeps_what_it_found(
    segmenter: LocalSegmenter, photo: ImageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter.start_automask("full", photo, AutomaskOptions(points_per_side=14))
    until(lambda: segmenter.poll_job("full").done)
    segmenter.cancel_job("full")
    stopped = ended(segmenter, "full")
    assert stopped.state == "cancelled" and stopped.proposals
    with monkeypatch.context() as patched:
        patched.setattr(segmenter.engine, "_max_queue", 0)
        with pytest.raises(Busy):
            segmenter.resume_job("full")
    assert segmenter.poll_job("full") == stopped
    segmenter.resume_job("full")
    assert ended(segmenter, "full").state == "done"


def ended(segmenter: LocalSegmenter, job_id: str) -> JobStatus:
    all_done(segmenter.engine)
    return segmenter.poll_job(job_id)


@pytest.mark.parametrize("work", ["many", "automask"])
def test_a_click_waits_for_a_few_prompts_of_long_work_at_most(
    segmenter: LocalSegmenter, photo: ImageSource, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    segmenter.prompt(photo, CLICKS[0]).result(60)
    batches: list[int] = []
    clicks: list[Future[Answer]] = []
    decode = Predictor.decode

    def spy(self: Predictor, embeddings: list[ImageEmbedding], prompts: PromptBatch) -> MaskLogits:
        batches.append(len(prompts))
        if len(batches) == 1:
            clicks.append(segmenter.prompt(photo, CLICKS[1]))
        return decode(self, embeddings, prompts)

    monkeypatch.setattr(Predictor, "decode", spy)
    if work == "many":
        boxes = [Prompt(box=(i, i, i + 50, i + 50)) for i in range(64)]
        assert len(segmenter.prompt_many(photo, boxes).result(60)) == 64
    else:
        segmenter.start_automask("grid", photo, AutomaskOptions(points_per_side=8))
        assert ended(segmenter, "grid").state == "done"
    assert clicks[0].result(60).candidates
    assert sum(batches) == 65
    assert batches.index(1) <= 2 * torch.get_num_threads()


def test_a_click_does_not_wait_for_another_image_to_be_read(
    segmenter: LocalSegmenter, photo: ImageSource, cat: np.ndarray
) -> None:
    segmenter.prompt(photo, CLICKS[0]).result(60)
    begun, read = threading.Event(), threading.Event()

    def load() -> np.ndarray:
        begun.set()
        assert read.wait(60)
        return cat[::-1]

    slow = ImageSource("slow", *cat.shape[:2], load)
    opened = segmenter.prompt(slow, CLICKS[0])
    assert begun.wait(60)
    assert segmenter.prompt(photo, CLICKS[1]).result(60).timing.encode is None
    assert not opened.done()
    read.set()
    assert opened.result(60).timing.encode is not None


def test_who_clicks_while_an_image_is_opened_waits_for_the_same_encode(
    segmenter: LocalSegmenter, photo: ImageSource
) -> None:
    loads: list[int] = []
    begun, read = threading.Event(), threading.Event()

    def load() -> np.ndarray:
        loads.append(1)
        begun.set()
        assert read.wait(60)
        return photo.load()

    image = ImageSource(photo.key, photo.height, photo.width, load)
    segmenter.encode(image, [], "group")
    assert begun.wait(60)
    click = segmenter.prompt(image, CLICKS[0])
    job = segmenter.prompt_many(image, CLICKS)
    read.set()
    assert click.result(60).candidates and len(job.result(60)) == 2
    all_done(segmenter.engine)
    assert loads == [1]


def test_a_newer_hover_ends_the_older_one(segmenter: LocalSegmenter, photo: ImageSource) -> None:
    gate = threading.Event()
    segmenter.engine.submit(Priority.CLICK, lambda: gate.wait(60))
    older = segmenter.prompt(photo, CLICKS[0], hover="me")
    newer = segmenter.prompt(photo, CLICKS[1], hover="me")
    gate.set()
    assert newer.result(60).candidates
    with pytest.raises(Cancelled):
        older.result(60)


def test_runs_under_way_are_not_given_up_for_newer_ones(segmenter: LocalSegmenter, photo: ImageSource) -> None:
    gate = threading.Event()
    segmenter.engine.submit(Priority.CLICK, lambda: gate.wait(60))
    options = AutomaskOptions(points_per_side=1)
    for number in range(32):
        segmenter.start_automask(f"run {number}", photo, options)
    with pytest.raises(Busy, match="Too many runs"):
        segmenter.start_automask("one more", photo, options)
    gate.set()
    assert ended(segmenter, "run 0").state == "done"
    segmenter.start_automask("one more", photo, options)
    assert ended(segmenter, "one more").state == "done"


def test_a_click_does_not_wait_for_another_image_to_be_encoded(
    segmenter: LocalSegmenter, photo: ImageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter.prompt(photo, CLICKS[0]).result(60)
    encode, begun, go_on = Predictor.encode, threading.Event(), threading.Event()

    def held(predictor: Predictor, images: Sequence[np.ndarray]) -> list[ImageEmbedding]:
        begun.set()
        assert go_on.wait(60)
        return encode(predictor, images)

    monkeypatch.setattr(Predictor, "encode", held)
    others = [replace(photo, key=f"{photo.key} {number}") for number in range(2)]
    opened = [segmenter.encode_later(Priority.ENCODE, each) for each in others]
    assert begun.wait(60)
    assert segmenter.prompt(photo, CLICKS[1]).result(60).candidates
    opened[1].cancel()
    go_on.set()
    opened[0].result(60)
    assert segmenter.has_embedding(others[0].key)
    all_done(segmenter.engine)
    assert not segmenter.has_embedding(others[1].key), "nobody waits for it any more"
