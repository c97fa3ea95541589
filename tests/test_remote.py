"""The segmenter in other processes: it keeps the promises of the interface, and what travels and what is lost."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast
from zlib import crc32

import numpy as np
import pytest
from prometheus_client import REGISTRY

from annotator.errors import Busy, NotFound
from annotator.serving.engine import Priority
from annotator.serving.local import LocalSegmenter
from annotator.serving.remote import RemoteSegmenter
from annotator.serving.replica import PixelsMissing, Replica, Request
from annotator.serving.segmenter import AutomaskOptions, ImageSource, Segmenter
from annotator.settings import Settings
from tests.conformity import *  # noqa: F403
from tests.conformity import CLICKS, ended, until
from tests.conftest import all_done
from tests.fake_segmenter import FakeSegmenter


class InThisProcess:
    """Replicas in this process. What goes to them and comes back is pickled."""

    def __init__(self, **segmenters: object) -> None:
        self.replicas = {name: Replica(name, cast(LocalSegmenter, each)) for name, each in segmenters.items()}
        self.asked: list[tuple[str, Request]] = []
        self.silent: set[str] = set()

    def of(self, key: str) -> str:
        return sorted(self.replicas)[crc32(key.encode()) % len(self.replicas)]

    async def ask(self, request: Request, patience: float | None) -> Any:
        self.asked.append((self.of(request.key), request))
        for name in sorted(self.replicas, key=lambda each: each != self.of(request.key)):
            if name not in self.silent:
                return await self._ask(name, request)
        raise Busy("Nobody answers.")

    async def ask_all(self, request: Request, patience: float) -> list[Any]:
        return [Busy("Silent.") if name in self.silent else await self._ask(name, request) for name in self.replicas]

    async def _ask(self, name: str, request: Request) -> Any:
        return pickle.loads(pickle.dumps(await self.replicas[name].answer(pickle.loads(pickle.dumps(request)))))

    def close(self) -> None:
        for each in self.replicas.values():
            each.close()


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Segmenter]:
    def local(name: str) -> LocalSegmenter:
        data = tmp_path_factory.mktemp(name)
        return LocalSegmenter(Settings(data_dir=data, model="nano", device="cpu", compile=False))

    running = RemoteSegmenter(Settings(), InThisProcess(a=local("a"), b=local("b")))
    yield running
    running.close()


class FakeLocal(FakeSegmenter):
    """What a replica asks of its segmenter beyond the interface."""

    def encode_later(self, priority: Priority, image: ImageSource) -> Future[None]:
        done: Future[None] = Future()
        self.encode(image, [], "")
        done.set_result(None)
        return done


@pytest.fixture
def replicas() -> InThisProcess:
    return InThisProcess(a=FakeLocal(), b=FakeLocal())


@pytest.fixture
def fakes(replicas: InThisProcess) -> Iterator[RemoteSegmenter]:
    running = RemoteSegmenter(Settings(), replicas)
    yield running
    running.close()


def picture(key: str, loads: list[str] | None = None) -> ImageSource:
    def load() -> np.ndarray:
        if loads is not None:
            loads.append(key)
        return np.zeros((30, 40, 3), np.uint8)

    return ImageSource(key, 30, 40, load)


def test_pixels_travel_once_to_the_replica_of_the_image_and_parts_go_with_it(
    fakes: RemoteSegmenter, replicas: InThisProcess
) -> None:
    loads: list[str] = []
    image, part = picture("image", loads), picture("image:0,0,40,30", loads)
    for each in (image, part):
        fakes.encode(each, [], "group")
        until(lambda each=each: fakes.has_embedding(each.key))
        fakes.prompt(each, CLICKS[0]).result(10)
    assert loads == [image.key, part.key]
    assert len({name for name, _ in replicas.asked}) == 1
    sent = [request.images[0].load.pixels is not None for _, request in replicas.asked]  # type: ignore[attr-defined]
    assert sent == [False, True, False] * 2


def test_a_run_whose_replica_has_ended_has_failed_and_can_be_started_anew(
    fakes: RemoteSegmenter, replicas: InThisProcess
) -> None:
    image = picture("image")
    fakes.start_automask("run", image, AutomaskOptions())
    assert ended(fakes, "run").state == "done"
    replicas.replicas[replicas.of(image.key)] = Replica("new", cast(LocalSegmenter, FakeLocal()))
    status = fakes.poll_job("run")
    assert (status.state, status.proposals) == ("failed", [])
    assert "go on to start it anew" in (status.error or "")
    with pytest.raises(NotFound):
        fakes.cancel_job("run")
    fakes.resume_job("run")
    assert ended(fakes, "run").state == "done"


def test_a_run_is_found_where_another_process_started_it(fakes: RemoteSegmenter, replicas: InThisProcess) -> None:
    fakes.start_automask("run", picture("image"), AutomaskOptions())
    other = RemoteSegmenter(Settings(), replicas)
    assert other.poll_job("run").state == "done"
    own = replicas.of("image")
    (idle,) = replicas.replicas.keys() - {own}
    replicas.silent = {idle}
    assert other.poll_job("run").state == "done"
    other.close()
    for silent in ({own}, {own, idle}):
        replicas.silent = silent
        for ask in (fakes.poll_job, fakes.cancel_job, fakes.resume_job):
            with pytest.raises(Busy):
                ask("run")
    replicas.silent = set()
    assert fakes.poll_job("run").state == "done"


def test_the_model_is_told_and_switched_while_a_replica_is_silent_which_follows_when_it_answers(
    fakes: RemoteSegmenter, replicas: InThisProcess
) -> None:
    models = [cast(FakeLocal, each._segmenter) for each in replicas.replicas.values()]
    replicas.silent = {"b"}
    fakes.switch("finer")
    assert fakes.info().name == "finer"
    assert {each.model for each in models} == {"fake", "finer"}
    replicas.silent = set()
    until(lambda: {each.model for each in models} == {"finer"} and fakes.info().name == "finer")
    replicas.silent = {"a", "b"}
    with pytest.raises(Busy):
        fakes.switch("other")
    assert fakes.info().name == "finer"


def test_a_replica_that_starts_after_a_switch_of_the_model_follows_it(
    fakes: RemoteSegmenter, replicas: InThisProcess
) -> None:
    fakes.switch("finer")
    assert fakes.info().name == "finer"
    late = FakeLocal()
    replicas.replicas["late"] = Replica("late", cast(LocalSegmenter, late))
    until(lambda: late.model == "finer")
    until(lambda: fakes.info().name == "finer")


def test_what_replicas_count_is_told_apart_and_beside_what_this_process_counts(fakes: RemoteSegmenter) -> None:
    name = "annotator_prompt_batch_size_count"
    until(lambda: REGISTRY.get_sample_value(name, {"replica": "a"}) is not None)
    assert REGISTRY.get_sample_value(name) == REGISTRY.get_sample_value(name, {"replica": "b"})
    assert len([each for each in REGISTRY.collect() if each.name == "annotator_prompt_batch_size"]) == 1


def test_cancelling_a_prompt_drops_the_work_at_the_replica(tmp_path: Path) -> None:
    local = LocalSegmenter(Settings(data_dir=tmp_path, model="nano", device="cpu", compile=False))
    remote = RemoteSegmenter(Settings(), InThisProcess(a=local))
    gate = threading.Event()
    local.engine.submit(Priority.CLICK, lambda: gate.wait(60))
    pending = remote.prompt(picture("image"), CLICKS[0])
    until(lambda: local.engine.waiting(Priority.CLICK) == 2)
    pending.cancel()
    until(lambda: local.engine.waiting(Priority.CLICK) == 1)
    gate.set()
    all_done(local.engine)
    assert not local.has_embedding("image")
    remote.close()


def test_what_is_missing_keeps_its_names_on_the_way() -> None:
    assert pickle.loads(pickle.dumps(PixelsMissing("a", "b"))).keys == ("a", "b")


def test_nothing_is_asked_once_it_is_closed(replicas: InThisProcess) -> None:
    closed = RemoteSegmenter(Settings(), replicas)
    closed.close()
    with pytest.raises(Busy, match="being stopped"):
        closed.prompt(picture("image"), CLICKS[0])
