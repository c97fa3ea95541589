"""Clicks on one image: alone, and while other images are encoded without a pause.

    python -m benchmarks.beside_encodes --seconds 10

In this process, without a server. Prints JSON: milliseconds of a click as p50, p95 and p99, and encodes a second.
ANNOTATOR_MODELS_DIR says where compiled packages are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
import uuid
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch

from annotator.imaging.decode import decode_pixels
from annotator.serving.engine import Priority
from annotator.serving.local import LocalSegmenter
from annotator.serving.segmenter import ImageSource
from annotator.settings import ASSETS_DIR, Settings
from annotator.types import Point, Prompt
from benchmarks import machine
from benchmarks.load_people import percentiles

_AT_ONCE = 4
"""Images that wait to be encoded."""

_PAUSE_S = 0.05
"""Of the person who clicks."""


def main() -> None:
    """Click alone, then beside encodes; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--seconds", type=float, default=10, help="of each part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        segmenter = LocalSegmenter(Settings(data_dir=Path(folder), model=options.model, compile=False))
        try:
            print(json.dumps(_measure(segmenter, options.seconds), indent=1))
        finally:
            segmenter.close()


def _measure(segmenter: LocalSegmenter, seconds: float) -> dict[str, Any]:
    path = ASSETS_DIR / "samples" / "skimage_chelsea.jpg"
    pixels = decode_pixels(path.read_bytes(), path.name, 10**9)
    height, width, _ = pixels.shape
    rng = random.Random(0)

    def photo() -> ImageSource:
        return ImageSource(uuid.uuid4().hex, height, width, lambda: pixels)

    def clicks(image: ImageSource) -> dict[str, float]:
        took, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            started = time.perf_counter()
            segmenter.prompt(image, Prompt((Point(rng.uniform(0, width), rng.uniform(0, height), 1),))).result()
            took.append((time.perf_counter() - started) * 1e3)
            time.sleep(_PAUSE_S)
        return percentiles(took)

    encoded, is_over = 0, False

    def encode(last: Future[None] | None = None) -> None:
        nonlocal encoded
        encoded += last is not None
        if not is_over:
            segmenter.encode_later(Priority.ENCODE, photo()).add_done_callback(encode)

    image = photo()
    segmenter.prompt(image, Prompt((Point(width / 2, height / 2, 1),))).result()
    alone = clicks(image)
    for _ in range(_AT_ONCE):
        encode()
    beside = clicks(image)
    is_over = True
    model = segmenter.info()
    return {
        **machine.describe(torch.device("cpu")),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "model": f"{model.name}, {model.backend}, {model.dtype}",
        "load_average": [round(each, 1) for each in os.getloadavg()],
        "click_ms_alone": alone,
        "click_ms_beside_encodes": beside,
        "encodes_a_second": round(encoded / seconds, 1),
    }


if __name__ == "__main__":
    main()
