"""Where the time of a click and of an encode goes: `python -m benchmarks.profile_click [--model large --untrained]`.

Prints the median wall time of a click on a cached embedding, the device's share of it by stage, and the operations that
take the most, counted by torch's profiler over the same clicks: three masks each, as the server answers, every other
one a refinement. Then the same of encoding. Runs eager where the packages cannot be made.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from torch.profiler import ProfilerActivity, profile

from annotator.sam.candidates import Candidates, find_candidates
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.types import Point, Prompt
from benchmarks.target import Target, add_arguments
from benchmarks.tasks import CLICK_SIZE, decode_image, photos


def click(predictor: Predictor, embedding: ImageEmbedding, seed: int, earlier: Candidates | None) -> Candidates:
    """A prompt of one point, or of two that refine `earlier`; one after the other, as `seed` goes up."""
    rng = np.random.default_rng(seed)
    refines = seed % 2 == 1 and earlier is not None
    points = tuple(Point(float(x), float(y), 1) for x, y in rng.random((1 + refines, 2)) * CLICK_SIZE)
    return find_candidates(predictor, embedding, Prompt(points), earlier.logits[0] if refines and earlier else None)


def clicks(predictor: Predictor, embedding: ImageEmbedding, count: int) -> tuple[list[float], list[Candidates]]:
    """Milliseconds and answers of `count` clicks."""
    took: list[float] = []
    found: list[Candidates] = []
    for seed in range(count):
        start = time.perf_counter()
        found.append(click(predictor, embedding, seed, found[-1] if found else None))
        took.append((time.perf_counter() - start) * 1e3)
    return took, found


def main() -> None:
    """Measure, then profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--clicks", type=int, default=60)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    target = Target.of(options)
    predictor = target.eager() if target.compile_missing() else target.packaged()
    image = decode_image(photos()[0])
    (embedding,) = predictor.encode([image])
    for _ in range(3):
        clicks(predictor, embedding, 4)
        while predictor.capture_pending():
            pass
    took, found = clicks(predictor, embedding, options.clicks)
    decode, postprocess = np.median([(each.decode_ms, each.postprocess_ms) for each in found], axis=0)
    p50, p90, p99 = np.percentile(took, (50, 90, 99))
    print(
        f"click, {predictor.backend}: p50 {p50:.2f}, p90 {p90:.2f}, p99 {p99:.2f} ms; decode {decode:.2f}, "
        f"after it {postprocess:.2f} ms",
        flush=True,
    )
    averages = profiled(predictor, lambda: clicks(predictor, embedding, options.clicks))
    # What waits for the device, a click: the host's side of the same run.
    waits = {"cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"}
    for each in averages:
        if each.key in waits or each.key.startswith("cudaGraphLaunch"):
            print(f"{each.key}: {each.count / options.clicks:.1f} a click")
    took = []
    for _ in range(10):
        start = time.perf_counter()
        predictor.encode([image])[0].image_embed.cpu()
        took.append((time.perf_counter() - start) * 1e3)
    print(f"encode, {predictor.backend}: p50 {np.median(took):.2f} ms, with preprocessing", flush=True)
    profiled(predictor, lambda: [predictor.encode([image]) for _ in range(5)])


def profiled(predictor: Predictor, work: Callable[[], object]) -> Any:
    """Run `work` under the profiler, print what takes the most time, on the device and on the host; returns all."""
    cuda = predictor.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as profiler:
        work()
    averages = profiler.key_averages()
    for order in ("self_cuda_time_total", "self_cpu_time_total") if cuda else ("self_cpu_time_total",):
        print(averages.table(sort_by=order, row_limit=25, max_name_column_width=60))
    return averages


if __name__ == "__main__":
    main()
