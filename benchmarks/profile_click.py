"""Where the time of a click goes: `python -m benchmarks.profile_click [--model large --untrained] [--device cuda]`.

Prints the median wall time of a click on a cached embedding, the device's share of it by stage, and the operations that
take the most, counted by torch's profiler over the same clicks: three masks each, as the server answers, every other
one a refinement.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from torch.profiler import ProfilerActivity, profile

from annotator.sam.candidates import Candidates, find_candidates
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.settings import Settings
from annotator.types import Point, Prompt
from benchmarks.first_result import packaged
from benchmarks.tasks import CLICK_SIZE, decode_image, photos


def click(predictor: Predictor, embedding: ImageEmbedding, seed: int) -> Candidates:
    """A prompt of one point, or of two that refine a mask; one after the other, as `seed` goes up."""
    rng = np.random.default_rng(seed)
    points = tuple(Point(float(x), float(y), 1) for x, y in rng.random((1 + seed % 2, 2)) * CLICK_SIZE)
    mask = rng.normal(0, 8, (predictor.mask_side,) * 2).astype(np.float32) if seed % 2 else None
    return find_candidates(predictor, embedding, Prompt(points), mask)


def main() -> None:
    """Measure, then profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--untrained", action="store_true")
    parser.add_argument("--clicks", type=int, default=60)
    options = parser.parse_args()
    settings = Settings.from_environment(device=options.device, dtype=options.dtype)
    predictor = packaged(options.model, settings, options.untrained)
    device = predictor.device
    (embedding,) = predictor.encode([decode_image(photos()[0])])
    for seed in range(6):
        click(predictor, embedding, seed)
        while predictor.capture_pending():
            pass
    took, stages = [], []
    for seed in range(options.clicks):
        start = time.perf_counter()
        found = click(predictor, embedding, seed)
        took.append((time.perf_counter() - start) * 1e3)
        stages.append((found.decode_ms, found.postprocess_ms))
    decode, postprocess = np.median(stages, axis=0)
    p50, p90, p99 = np.percentile(took, (50, 90, 99))
    print(f"click p50 {p50:.2f}, p90 {p90:.2f}, p99 {p99:.2f} ms; decode {decode:.2f}, after it {postprocess:.2f} ms")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as profiler:
        for seed in range(options.clicks):
            click(predictor, embedding, seed)
    order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    print(profiler.key_averages().table(sort_by=order, row_limit=25))
    # What waits for the device, a click: the host's side of the same run.
    waits = {"cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"}
    for each in profiler.key_averages():
        if each.key in waits or each.key.startswith("cudaGraphLaunch"):
            print(f"{each.key}: {each.count / options.clicks:.1f} a click")


if __name__ == "__main__":
    main()
