"""Replicas that are killed or stop under load: clicks go on, and nothing that was kept is lost."""

from __future__ import annotations

import collections
import io
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil
from PIL import Image

from tests.conformity import until
from tests.conftest import SAMPLES, Server
from tests.scale.conftest import replicas_of

PATIENCE = 240
"""Seconds in which Ray starts another replica on a busy machine."""


def photos(number: int) -> list[bytes]:
    """Photos with different pixels, which belong to different replicas."""
    cat = np.asarray(Image.open(SAMPLES / "skimage_chelsea.jpg"))
    made = []
    for shift in np.random.default_rng().integers(1, 400, number):
        file = io.BytesIO()
        Image.fromarray(np.roll(cat, shift, axis=1)).save(file, "png")
        made.append(file.getvalue())
    return made


class People:
    """People who click and keep what they get, until they are told to stop."""

    def __init__(self, server: Server, number: int = 3) -> None:
        self._api = httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, headers={"origin": server.url})
        project = self._api.get("/status").json()["project_id"]
        (label,) = self._api.get(f"/projects/{project}/labels").json()
        self._label = label["id"]
        files = [("files", (f"{n}.png", photo)) for n, photo in enumerate(photos(8))]
        self.images = [
            each["id"] for each in self._api.post(f"/projects/{project}/images", files=files).json()["images"]
        ]
        self.statuses: collections.Counter[int] = collections.Counter()
        self.slowest = 0.0
        self.kept: list[tuple[str, str]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(number)]
        for each in self._threads:
            each.start()

    def clicks(self, number: int) -> None:
        """Wait until so many more clicks are answered."""
        wanted = self.statuses[200] + number
        until(lambda: self.statuses[200] >= wanted, PATIENCE)

    def stop(self) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def lost(self) -> set[str]:
        """Objects that were acknowledged and are not there."""
        there = set()
        for image in self.images:
            there |= {each["id"] for each in self._api.get(f"/images/{image}/document").json()["annotations"]}
        return {each for _, each in self.kept} - there

    def prompts(self, image: str) -> httpx.Response:
        """Ask about many objects at once."""
        objects = [{"points": [[x, y, 1]]} for x in range(20, 420, 20) for y in range(20, 280, 20)]
        return self._api.post(f"/images/{image}/prompts", json={"objects": objects})

    def run(self, image: str) -> str:
        """Start automatic masks."""
        job: str = self._api.post(f"/images/{image}/automask", json={"points_per_side": 32}).json()["job_id"]
        return job

    def job(self, job: str) -> dict[str, object]:
        reply = self._api.get(f"/jobs/{job}")
        assert reply.status_code == 200, reply.text
        found: dict[str, object] = reply.json()
        return found

    def resume(self, job: str) -> None:
        self._api.post(f"/jobs/{job}/resume").raise_for_status()

    def cancel(self, job: str) -> None:
        self._api.delete(f"/jobs/{job}").raise_for_status()

    def _work(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self._stop.is_set():
            image = rng.choice(self.images)
            point = [rng.randrange(20, 430), rng.randrange(20, 280), 1]
            started = time.monotonic()
            reply = self._api.post(f"/images/{image}/prompt", json={"points": [point]})
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.statuses[reply.status_code] += 1
            if reply.status_code != 200:
                time.sleep(0.2)
                continue
            mask = reply.json()["candidates"][0]["mask"]
            kept = self._api.post(f"/images/{image}/annotations", json={"label_id": self._label, "mask": mask})
            if kept.status_code == 201:
                self.kept.append((image, kept.json()["annotation"]["id"]))
            time.sleep(0.05)


def metrics(server: Server, pattern: str) -> list[str]:
    return re.findall(pattern, httpx.get(f"{server.url}/metrics", timeout=60).text)


def answering(server: Server) -> set[str]:
    """The replicas that the server has heard of a moment ago."""
    return set(metrics(server, r'batch_size_count\{replica="(\w+)"\}'))


def replaced(server: Server, before: set[str]) -> None:
    """Wait until two replicas answer, and one of them is new."""

    def found() -> bool:
        now = answering(server)
        return len(now) == 2 and now != before

    until(found, PATIENCE)


def busiest(server: Server) -> psutil.Process:
    """The replica that works most in half a second."""
    replicas = replicas_of(server)
    before = {each: each.cpu_times().user for each in replicas}
    time.sleep(0.5)
    return max(replicas, key=lambda each: each.cpu_times().user - before[each])


def retries(server: Server) -> float:
    return sum(map(float, metrics(server, r"replica_retries_total\{reason=\S+\} (\S+)")))


def test_clicks_go_on_and_nothing_is_lost_when_replicas_are_killed_and_stopped(ray_server: Server) -> None:
    people = People(ray_server)
    try:
        people.clicks(30)
        before = answering(ray_server)
        first, second = replicas_of(ray_server)
        first.kill()
        people.clicks(30)
        replaced(ray_server, before)
        before = answering(ray_server)
        second.suspend()
        people.clicks(30)
        replaced(ray_server, before)
        people.clicks(30)
    finally:
        people.stop()
    print(people.statuses, f"slowest {people.slowest:.1f} s", f"{retries(ray_server):.0f} asked again")
    assert set(people.statuses) <= {200, 503}, "503 where the replica that is left has too much to do"
    assert people.statuses[503] < 0.1 * people.statuses[200]
    assert people.slowest < 40, "no longer than the server waits for a click"
    assert retries(ray_server) > 0
    assert people.kept and not people.lost()


def test_what_a_killed_replica_was_working_on_is_asked_again(ray_server: Server) -> None:
    people = People(ray_server, number=0)
    before, asked_again = answering(ray_server), retries(ray_server)
    with ThreadPoolExecutor(len(people.images)) as pool:
        replies = [pool.submit(people.prompts, image) for image in people.images]
        busiest(ray_server).kill()
        assert not all(each.done() for each in replies)
        assert [each.result().status_code for each in replies] == [200] * len(replies)
    assert retries(ray_server) > asked_again
    replaced(ray_server, before)


def test_a_run_whose_replica_is_killed_says_so_and_goes_on_anew(ray_server: Server) -> None:
    people = People(ray_server, number=0)
    before = answering(ray_server)
    job = people.run(people.images[0])
    for each in replicas_of(ray_server):
        each.kill()
    until(lambda: _state(people, job) == "failed", PATIENCE)
    assert "start it anew" in str(people.job(job)["error"])
    replaced(ray_server, before)
    people.resume(job)
    assert people.job(job)["state"] == "running"
    people.cancel(job)


def test_the_model_is_switched_while_a_replica_is_stopped(ray_server: Server) -> None:
    api = httpx.Client(base_url=f"{ray_server.url}/api/v1", timeout=60, headers={"origin": ray_server.url})
    before = answering(ray_server)
    stopped = replicas_of(ray_server)[0]
    stopped.suspend()
    try:
        reply = api.put("/model", json={"name": "nano"})
        assert reply.status_code == 202, reply.text
        until(lambda: len(answering(ray_server)) == 1)
    finally:
        stopped.resume()
    until(lambda: len(answering(ray_server)) == 2, PATIENCE)
    assert answering(ray_server) & before


def _state(people: People, job: str) -> object:
    try:
        return people.job(job)["state"]
    except AssertionError:  # 503 until Ray has a new replica
        return None


def test_the_model_of_all_replicas_is_switched_and_a_new_one_follows(ray_server: Server) -> None:
    api = httpx.Client(base_url=f"{ray_server.url}/api/v1", timeout=60, headers={"origin": ray_server.url})
    assert api.put("/model", json={"name": "no such"}).status_code == 404
    assert api.put("/model", json={"name": "nano"}).status_code == 202
    before = answering(ray_server)
    replicas_of(ray_server)[0].kill()

    def reasons() -> bool:
        return bool(api.get("/status").json()["model"]["reason"] == "chosen in the page")

    replaced(ray_server, before)
    until(reasons)
