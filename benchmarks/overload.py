"""Many prompts at once against a real server: what becomes of them, and whether the rest of it still answers.

    python -m benchmarks.overload --prompts 200

Each prompt should be answered, or refused with 503 and a Retry-After, within 5 s. Meanwhile another process asks for a
static file and for the status, again and again, each time on a new connection; those should take 200 ms at most. Prints
JSON, times in milliseconds; exits 1 where a round misses any of that.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from benchmarks import machine
from benchmarks.server import API, Server

_PROBES = {"static": "/page/main.js", "status": f"{API}/status"}
_PATIENCE_S = 120.0
_MOST_MS, _MOST_PROBE_MS = 5000.0, 200.0
_PROBE_EVERY_S = 0.02
_SETTLE_S = 1.0


def probe(port: int, pipe: Connection) -> None:
    """Ask for the addresses of `_PROBES` in turn until told to stop; sends each answer's address and milliseconds."""
    found: list[tuple[str, float]] = []
    pipe.send("ready")
    while not pipe.poll(_PROBE_EVERY_S):
        for name, path in _PROBES.items():
            started = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
            connection.request("GET", path)
            reply = connection.getresponse()
            reply.read()
            connection.close()
            assert reply.status == 200, f"{path}: {reply.status}"
            found.append((name, (time.perf_counter() - started) * 1e3))
    pipe.send(found)


async def flood(port: int, images: Sequence[dict[str, Any]], count: int, rng: random.Random) -> list[tuple[str, float]]:
    """Send `count` clicks at once, each on a connection of its own; the outcome and milliseconds of each."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=_PATIENCE_S) as client:

        async def one() -> tuple[str, float]:
            image = rng.choice(images)
            point = [rng.uniform(0, image["width"]), rng.uniform(0, image["height"]), 1]
            started = time.perf_counter()
            try:
                reply = await client.post(f"{API}/images/{image['id']}/prompt", json={"points": [point]})
                outcome = str(reply.status_code)
                if reply.status_code == 503 and "Retry-After" not in reply.headers:
                    outcome = "503 without Retry-After"
            except httpx.HTTPError as error:
                outcome = type(error).__name__
            return outcome, (time.perf_counter() - started) * 1e3

        return list(await asyncio.gather(*(one() for _ in range(count))))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 90th percentile and maximum."""
    p50, p90, most = np.percentile(values, (50, 90, 100))
    return {"n": len(values), "p50": round(p50, 1), "p90": round(p90, 1), "max": round(most, 1)}


def measure(port: int, images: Sequence[dict[str, Any]], count: int, rng: random.Random) -> dict[str, Any]:
    """One flood, and the probes meanwhile and shortly after."""
    ours, theirs = multiprocessing.Pipe()
    prober = multiprocessing.get_context("spawn").Process(target=probe, args=(port, theirs))
    prober.start()
    ours.recv()
    answers = asyncio.run(flood(port, images, count, rng)) if count else []
    time.sleep(_SETTLE_S)
    ours.send("stop")
    probes = ours.recv()
    prober.join()
    outcomes = Counter(outcome for outcome, _ in answers)
    return {
        "prompts": count,
        "outcomes": dict(outcomes.most_common()),
        "answers": {each: spread([ms for outcome, ms in answers if outcome == each]) for each in sorted(outcomes)},
        "probes": {name: spread([ms for which, ms in probes if which == name]) for name in _PROBES},
    }


def is_bad(figures: dict[str, Any]) -> bool:
    """Whether an answer or a probe is not what it should be."""
    late = any(each["max"] > _MOST_MS for each in figures["answers"].values())
    stalled = any(each["max"] > _MOST_PROBE_MS for each in figures["probes"].values())
    return late or stalled or not set(figures["outcomes"]) <= {"200", "503"}


def main() -> int:
    """Run it; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, nargs="+", default=[0, 200, 600], help="prompts at once, a round each")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            project = server.call("GET", "/status")["project_id"]
            images = [
                server.call("POST", f"/projects/{project}/samples", {"name": each["name"]})
                for each in server.call("GET", "/samples")
            ]
            for each in images:  # encoded, and the model warm
                server.call("POST", f"/images/{each['id']}/prompt", {"points": [[9, 9, 1]]})
            for count in options.prompts:
                rounds += [measure(server.port, images, count, rng) for _ in range(options.repeats)]
        finally:
            server.kill()
    figures = {
        "machine": machine.describe(torch.device("cpu")),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "rounds": rounds,
    }
    print(json.dumps(figures, indent=1))
    return int(any(map(is_bad, rounds)))


if __name__ == "__main__":
    sys.exit(main())
