"""Replicas on Ray: does a click find its embedding, what do two replicas bring, and what does a broken one cost?

The model is a stand-in that sleeps, 200 ms for an image and 100 ms for a click, one at a time, as a GPU leaves the
processor alone. All else is real: the engine, the cache, Ray Serve. On this machine alone, in about six minutes:

    make .venv-scale/installed
    .venv-scale/bin/python -m benchmarks.replicas
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor

from annotator.errors import Busy
from annotator.sam.predictor import Graphs, Predictor
from annotator.serving import model_host
from annotator.serving.ray_backend import RayReplica, RayReplicas
from annotator.serving.remote import RemoteSegmenter
from annotator.serving.segmenter import ImageSource
from annotator.settings import Settings
from annotator.types import Point, Prompt
from benchmarks.machine import commit, describe

RESULTS = Path(__file__).parent / "results" / "replicas"
ENCODE_S, DECODE_S, SIDE = 0.2, 0.1, 64
IMAGES, PEOPLE, CLICKS = 200, 50, 20


class SleepingDevice:
    """Does one thing at a time. On a CPU, clicks would be decoded in as many threads as it has cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sleeps, and gives embeddings of zeros."""
        with self._lock:
            time.sleep(ENCODE_S * len(x))
        side = SIDE // 16
        shapes = ((256, side), (32, 4 * side), (64, 2 * side))
        image_embed, feat_s0, feat_s1 = (torch.zeros(len(x), depth, size, size) for depth, size in shapes)
        return image_embed, feat_s0, feat_s1

    def decode(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sleeps, and gives four masks for each prompt."""
        count, side = len(inputs[3]), SIDE // 4
        with self._lock:
            time.sleep(DECODE_S * count)
        return torch.ones(count, 4, side, side), torch.ones(count, 4), torch.ones(count, 1)


class SleepingReplica(RayReplica):
    """A replica whose model sleeps."""

    def __init__(self, settings: Settings) -> None:
        device = SleepingDevice()
        graphs = Graphs(device.encode, device.decode, device.decode)
        predictor = Predictor("nano", "stand-in", graphs, SIDE, torch.device("cpu"), torch.float32, "eager")
        model_host.build = lambda *_: predictor
        super().__init__(settings)


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement of throughput. Default: 15.")
    options = parser.parse_args()
    figures: dict[str, Any] = {"encode_ms": ENCODE_S * 1e3, "decode_ms": DECODE_S * 1e3}
    with replicas(1) as segmenter:
        one = throughput(segmenter, options.seconds)
    with replicas(2) as segmenter:
        two = throughput(segmenter, options.seconds)
        figures["clicks_a_second"] = {"one replica": one, "two replicas": two, "ratio": round(two / one, 2)}
        figures["affinity"] = affinity(segmenter)
        figures["overhead_ms"] = overhead(segmenter)
        everybody = {each.replica for each in segmenter._reports}
        figures["killed"] = broken(segmenter, lambda process: process.kill())
        while len(now := {each.replica for each in segmenter._reports}) < 2 or now == everybody:
            time.sleep(0.2)  # until Ray has started another one
        figures["stopped"] = broken(segmenter, lambda process: process.suspend())
    here = {**describe(torch.device("cpu")), "ray": version("ray"), "commit": commit()}
    record = {"machine": here, "replicas": figures}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{time.strftime('%Y-%m-%d')}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


@contextmanager
def replicas(number: int) -> Iterator[RemoteSegmenter]:
    """Replicas without a disk for embeddings: what is found is in the memory of the replica that was asked."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            model="nano",
            device="cpu",
            replicas=number,
            replica_timeout=6,
            embedding_disk_bytes=0,  # type: ignore[arg-type]
        )
        segmenter = RemoteSegmenter(settings, RayReplicas(settings, SleepingReplica))
        try:
            yield segmenter
        finally:
            segmenter.close()


def picture(key: str) -> ImageSource:
    """A black image."""
    return ImageSource(key, 96, 128, lambda: np.zeros((96, 128, 3), np.uint8))


def click(segmenter: RemoteSegmenter, key: str) -> float | None:
    """Milliseconds that the image took to encode; None if the embedding was found. Raises Busy."""
    return segmenter.prompt(picture(key), Prompt((Point(40, 40, 1),))).result(60).timing.encode


def click_until_answered(segmenter: RemoteSegmenter, key: str) -> float | None:
    """As a page does: it tries again while too many wait."""
    while True:
        try:
            return click(segmenter, key)
        except Busy:
            time.sleep(0.2)


def throughput(segmenter: RemoteSegmenter, seconds: float) -> float:
    """Clicks a second of 16 people, on 192 images that are encoded."""
    keys = [f"throughput {number}" for number in range(192)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: click_until_answered(segmenter, key), keys))
        end = time.monotonic() + seconds

        def person(number: int) -> int:
            rng, done = random.Random(number), 0
            while time.monotonic() < end:
                click_until_answered(segmenter, rng.choice(keys))
                done += 1
            return done

        return round(sum(pool.map(person, range(16))) / seconds, 1)


def affinity(segmenter: RemoteSegmenter) -> dict[str, float]:
    """The share of clicks, on images by Zipf's law, that found the embedding in the replica that they were sent to."""
    weights = [1 / (rank + 1) for rank in range(IMAGES)]
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def person(number: int) -> None:
        rng = random.Random(number)
        for _ in range(CLICKS):
            (image,) = rng.choices(range(IMAGES), weights)
            key = f"zipf {image}"
            with lock:
                again = key in seen
            encoded = click_until_answered(segmenter, key) is not None
            with lock:
                seen.add(key)
                counts["clicks"] += 1
                counts["found"] += not encoded
                counts["again"] += again
                counts["found again"] += again and not encoded

    with ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(person, range(PEOPLE)))
    return {
        "clicks": counts["clicks"],
        "images": len(seen),
        "found": round(counts["found"] / counts["clicks"], 4),
        "found_where_seen_before": round(counts["found again"] / counts["again"], 4),
    }


def overhead(segmenter: RemoteSegmenter) -> dict[str, float]:
    """What the way to a replica and back adds to a click."""
    click(segmenter, "overhead")
    added = []
    for _ in range(100):
        started = time.perf_counter()
        answer = segmenter.prompt(picture("overhead"), Prompt((Point(40, 40, 1),))).result(60)
        added.append((time.perf_counter() - started) * 1e3 - answer.timing.total)
    p50, p90 = np.percentile(added, (50, 90))
    return {"p50": round(float(p50), 1), "p90": round(float(p90), 1)}


def broken(segmenter: RemoteSegmenter, harm: Callable[[psutil.Process], None], seconds: float = 30) -> dict[str, float]:
    """Eight people click; a replica is harmed after 5 s. How many clicks fail, and how long the slowest takes."""
    for number in range(32):
        click_until_answered(segmenter, f"broken {number}")
    took: list[float] = []
    failed: list[float] = []
    end = time.monotonic() + seconds

    def person(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                click(segmenter, f"broken {rng.randrange(32)}")
                took.append(time.monotonic() - started)
            except Busy:
                failed.append(time.monotonic() - started)
                time.sleep(0.2)

    with ThreadPoolExecutor(9) as pool:
        people = [pool.submit(person, number) for number in range(8)]
        time.sleep(5)
        below = psutil.Process().children(recursive=True)
        harm(next(each for each in below if each.name().startswith("ray::ServeRepli")))
        for each in people:
            each.result()
    return {"clicks": len(took) + len(failed), "failed": len(failed), "slowest_s": round(max(took), 2)}


if __name__ == "__main__":
    main()
