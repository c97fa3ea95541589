"""Masks for many boxes on one photo: one request for all of them against a request for each, over loopback.

    python -m benchmarks.many --boxes 100 --repeats 7

Both ways take turns in the same run, each over one connection that stays open. Prints JSON: milliseconds of each way
and of the server's processor time, the ratio of each turn, all as median, least and most, and how far the masks agree.
ANNOTATOR_MODELS_DIR says where compiled packages are.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from annotator.masks import rle as rles
from annotator.types import RLE, CroppedRuns
from benchmarks import machine
from benchmarks.restart import SIZE, upload
from benchmarks.server import Server


def main() -> None:
    """Start a server, ask both ways in turns, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.start()
            print(json.dumps(_compare(server, _boxes(options.boxes), options.repeats), indent=1))
        finally:
            server.kill()


def _boxes(count: int) -> list[list[float]]:
    """Boxes of many sizes all over the photo, always the same ones."""
    rng = np.random.default_rng(0)
    sides = rng.uniform(0.04, 0.4, (count, 2)) * SIZE
    corners = rng.uniform(0, 1, (count, 2)) * (SIZE - sides)
    boxes: list[list[float]] = np.concatenate((corners, corners + sides), axis=1).round(1).tolist()
    return boxes


def _compare(server: Server, boxes: Sequence[list[float]], repeats: int) -> dict[str, Any]:
    project = server.call("GET", "/status")["project_id"]
    image = upload(server, project, 0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    objects = [{"box": box} for box in boxes]

    def ask(path: str, body: object) -> Any:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/images/{image}/{path}", json.dumps(body), headers)
        return json.loads(connection.getresponse().read())

    def one_by_one() -> list[Any]:
        return [ask("prompt", each)["candidates"][0] for each in objects]

    def at_once() -> list[Any]:
        found: list[Any] = ask("prompts", {"objects": objects})["objects"]
        return found

    single, many = one_by_one(), at_once()  # also encodes the photo and warms both ways up
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    took: dict[str, list[float]] = {"one_by_one": [], "at_once": []}
    processor: dict[str, list[float]] = {"one_by_one": [], "at_once": []}
    for _ in range(repeats):
        for name, way in (("one_by_one", one_by_one), ("at_once", at_once)):
            started, before = time.perf_counter(), sum(process.cpu_times()[:2])
            way()
            took[name].append((time.perf_counter() - started) * 1e3)
            processor[name].append((sum(process.cpu_times()[:2]) - before) * 1e3)
    ious = [rles.iou(_mask(a), _mask(b)) for a, b in zip(single, many, strict=True)]
    model = server.call("GET", "/status")["model"]
    return {
        **machine.describe(torch.device("cpu")),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "model": f"{model['name']}, {model['backend']}, {model['dtype']}",
        "boxes": len(boxes),
        "repeats": repeats,
        "load_average": [round(each, 1) for each in os.getloadavg()],
        **{f"{name}_ms": _spread(values, 1) for name, values in took.items()},
        **{f"{name}_processor_ms": _spread(values, 1) for name, values in processor.items()},
        "ratio": _spread([a / b for a, b in zip(*took.values(), strict=True)], 2),
        "masks_equal": sum(a["mask"] == b["mask"] for a, b in zip(single, many, strict=True)),
        "least_iou": round(min(ious), 5),
    }


def _mask(candidate: Any) -> RLE:
    return rles.from_cropped(CroppedRuns(**candidate["mask"]), SIZE[1], SIZE[0])


def _spread(values: Sequence[float], digits: int) -> dict[str, float]:
    """Median, least and most."""
    figures = {"median": float(np.median(values)), "least": min(values), "most": max(values)}
    return {name: round(value, digits) for name, value in figures.items()}


if __name__ == "__main__":
    main()
