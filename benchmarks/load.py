"""Many people at one server, and clients that misbehave: how long answers take, and what fails.

    python -m benchmarks.load people --people 50 --think 1.0 --automask 2 --uploads 5 --seconds 60
    python -m benchmarks.load clients --clients 16      # without a pause, against one
    python -m benchmarks.load burst --prompts 200       # at once
    python -m benchmarks.load greedy --clients 50       # of one user, beside a person who clicks now and then
    python -m benchmarks.load hovers --requests 100000
    python -m benchmarks.load connections --idle 100 --trickling 20

Each starts a server of its own on loopback, whose cores it shares, and ends by itself: every scenario but the last ends
after --seconds. Prints JSON, and writes it into --out, for `benchmarks.load_plot`: milliseconds as p50, p95 and p99 by
kind of request, failures by kind and reason, and what the server counted itself. ANNOTATOR_MODELS_DIR says where
compiled packages are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import torch
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import machine, overload
from benchmarks.load_people import Log, Person, Refused, percentiles
from benchmarks.server import Server

_COUNTED = ("annotator_rejections", "annotator_embedding_hits", "annotator_prompt_batch_size")
_BURST = 8
"""Hovers of a pointer before it waits for their answers."""

_BETWEEN_S = 0.03
_GRACE_S = 30.0
"""For what is on its way when the time is over."""


async def people(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Annotators with a think time; some of them only auto-mask, or only upload."""
    log = Log()
    crowd = await _crowd(port, log, options.people, samples=4)

    def habit(person: Person) -> Callable[[], Awaitable[None]]:
        if person.number < options.automask:
            return person.automask
        think: float = options.think
        if person.number < options.automask + options.uploads:
            return lambda: person.upload(think)
        return lambda: person.annotate(think)

    await _repeat([habit(each) for each in crowd], options.seconds)
    await _close(crowd)
    return log.figures()


async def clients(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Clicks without a pause: one client, then many, for half of the time each."""
    found = {}
    for count in (1, options.clients):
        log = Log()
        crowd = await _crowd(port, log, count, samples=1)

        def click(person: Person) -> Callable[[], Awaitable[None]]:
            return lambda: person.click(person.images[0], [person.place(person.images[0])])

        await click(crowd[0])()  # encodes
        log.took.clear()
        seconds = options.seconds / 2
        await _repeat([click(each) for each in crowd], seconds)
        await _close(crowd)
        found[f"{count} clients"] = {**log.figures(), "clicks_a_second": round(len(log.took["click"]) / seconds, 1)}
    one, many = (each["clicks_a_second"] for each in found.values())
    return {**found, "ratio": round(many / one, 2)}


async def burst(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Many clicks at once."""
    log = Log()
    (person,) = crowd = await _crowd(port, log, 1, samples=4)
    for image in person.images:
        await person.click(image, [person.place(image)])
    started = time.perf_counter()
    answers = await overload.flood(port, person.images, options.prompts, random.Random(0))
    took = time.perf_counter() - started
    await _close(crowd)
    outcomes = Counter(outcome for outcome, _ in answers)
    spread = {each: percentiles([ms for outcome, ms in answers if outcome == each]) for each in outcomes}
    return {"seconds": round(took, 2), "outcomes": spread}


async def greedy(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """A person who clicks with a think time: alone, then beside another user with many clicks in flight."""
    log, others = Log(), Log()
    person, other = Person(port, log, 0), Person(port, others, 1, "127.0.0.2", options.clients)
    for each in (person, other):
        await each.prepare(samples=4)
        for image in each.images:
            await each.click(image, [each.place(image)])  # encodes

    async def annotate() -> None:
        await asyncio.sleep(person.rng.expovariate(1 / options.think))
        image = person.rng.choice(person.images)
        await person.click(image, [person.place(image)])

    async def flood() -> None:
        image = other.rng.choice(other.images)
        await other.click(image, [other.place(image)])

    found = {}
    for phase, habits in {"alone": [annotate], "beside the other": [annotate, *[flood] * options.clients]}.items():
        log.took.clear()
        others.took.clear()
        await _repeat(habits, options.seconds / 2)
        found[phase] = {"person": log.figures(), "other": others.figures()}
    await _close((person, other))
    return found


async def hovers(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Pointers that never rest: each asks for the next mask before it has the last one. Someone clicks meanwhile.

    A 409 is a hover that a newer one took the place of, as it should. No answer may come after that to a newer hover.
    """
    log, late = Log(), 0
    crowd = await _crowd(port, log, options.clients, samples=1)
    image = crowd[0].images[0]
    await crowd[0].click(image, [crowd[0].place(image)])
    log.took.clear()
    left = options.requests

    async def wander(person: Person) -> None:
        nonlocal left
        if left <= 0:
            await asyncio.sleep(0.1)
            return
        left -= _BURST
        answered: list[int] = []

        async def hover(number: int) -> None:
            nonlocal late
            await asyncio.sleep(number * _BETWEEN_S)
            await person.hover(person.images[0], f"pointer-{person.number}")
            late += any(each > number for each in answered)
            answered.append(number)

        await asyncio.gather(*(hover(number) for number in range(_BURST)), return_exceptions=True)

    async def click() -> None:
        await crowd[0].click(image, [crowd[0].place(image)])
        await asyncio.sleep(0.5)

    habits: list[Callable[[], Awaitable[None]]] = [click]
    habits += [lambda person=each: wander(person) for each in crowd[1:]]  # type: ignore[misc]
    await _repeat(habits, options.seconds, until=lambda: left <= 0)
    await _close(crowd)
    return {"sent": options.requests - max(left, 0), "out_of_order": late, **log.figures()}


async def connections(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """One person clicks: alone, then beside connections that say nothing or send their headers byte by byte."""
    found: dict[str, Any] = {}
    held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    drips: list[asyncio.Task[None]] = []
    for phase in ("alone", "beside them"):
        log = Log()
        crowd = await _crowd(port, log, 1, samples=1)
        (person,) = crowd
        if phase == "beside them":
            count = options.idle + options.trickling
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
            drips = [asyncio.create_task(_drip(writer)) for _, writer in held[options.idle :]]
        image = person.images[0]
        await person.click(image, [person.place(image)])
        log.took.clear()

        async def click(person: Person = person, image: dict[str, Any] = image) -> None:
            await person.click(image, [person.place(image)])
            await asyncio.sleep(0.05)

        await _repeat([click], max(options.seconds / 2, 25.0))  # the server gives headers 20 seconds
        await _close(crowd)
        found[phase] = log.figures()
    for drip in drips:
        drip.cancel()
    open_still = [reader for reader, _ in held if not reader.at_eof()]
    for _, writer in held:
        writer.close()
    return {**found, "closed_by_the_server": len(held) - len(open_still), "of": len(held)}


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
    with suppress(ConnectionError):
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)


async def _crowd(port: int, log: Log, count: int, samples: int) -> list[Person]:
    crowd = [Person(port, log, number) for number in range(count)]
    for each in crowd:
        await each.prepare(samples)
    log.took.clear()
    return crowd


async def _close(crowd: Sequence[Person]) -> None:
    for each in crowd:
        await each.close()


async def _repeat(
    habits: Sequence[Callable[[], Awaitable[None]]], seconds: float, until: Callable[[], bool] = lambda: False
) -> None:
    """Everybody does their thing again and again. After a refusal they wait a second."""
    end = time.monotonic() + seconds

    async def live(habit: Callable[[], Awaitable[None]]) -> None:
        while time.monotonic() < end and not until():
            try:
                await habit()
            except Refused:
                await asyncio.sleep(1)

    tasks = [asyncio.create_task(live(each)) for each in habits]
    await asyncio.wait(tasks, timeout=seconds + _GRACE_S)
    for task in tasks:
        task.cancel()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(error, Exception):
            raise error


def counted(port: int) -> dict[str, float]:
    """What the server counted of interest."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name in _COUNTED else ():
            if not sample.name.endswith(("_bucket", "_created")):
                found[" ".join([sample.name, *sample.labels.values()])] = sample.value
    return found


_SCENARIOS = {each.__name__: each for each in (people, clients, burst, greedy, hovers, connections)}


def main() -> None:
    """Run one scenario; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=_SCENARIOS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--think", type=float, default=1.0, help="mean seconds between two clicks")
    parser.add_argument("--automask", type=int, default=2, help="of the people, those who only auto-mask")
    parser.add_argument("--uploads", type=int, default=5, help="of the people, those who only upload")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--idle", type=int, default=100)
    parser.add_argument("--trickling", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write the JSON into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.start()
            text = json.dumps(_measure(server, options), indent=1)
            print(text)
            if options.out:
                options.out.write_text(text + "\n")
        finally:
            server.kill()


def _measure(server: Server, options: argparse.Namespace) -> dict[str, Any]:
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    while server.call("GET", "/status")["model"]["name"] == "":
        time.sleep(0.1)
    memory, processor, started = process.memory_info().rss, sum(process.cpu_times()[:2]), time.perf_counter()
    figures = asyncio.run(_SCENARIOS[options.scenario](server.port, options))
    return {
        **machine.describe(torch.device("cpu")),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "load_average": [round(each, 1) for each in os.getloadavg()],
        "options": {key: value for key, value in vars(options).items() if key != "out"},
        **figures,
        "server": {
            "cores_used": round((sum(process.cpu_times()[:2]) - processor) / (time.perf_counter() - started), 2),
            "mib_more": round((process.memory_info().rss - memory) / 2**20),
            "counted": counted(server.port),
        },
    }


if __name__ == "__main__":
    main()
