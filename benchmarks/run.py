"""Run the tasks for every implementation, interleaved, and write one JSON file: `annotator bench`."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from scipy.optimize import linear_sum_assignment

from annotator.errors import ModelUnavailable
from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.automask import AutomaskSettings, point_grid
from annotator.sam.candidates import OFFICIAL_CHUNK
from annotator.sam.compile import compile_packages, load_packages
from annotator.sam.predictor import Predictor, PromptBatch
from annotator.serving.model_host import pick_device, pick_dtype
from annotator.settings import Settings
from annotator.types import RLE, FloatArray
from benchmarks.first_result import first_results, packages_of
from benchmarks.memory import peak_memory
from benchmarks.official import Official, Rle
from benchmarks.reference import Reference, why_not
from benchmarks.tasks import CLICK_SIZE, Baseline, Ours, Runner, decode_image, photos

ROOT = Path(__file__).resolve().parent
CLICKS = 100
"""At least so many clicks are timed: a p99 means nothing of fewer."""
MPS_POINTS = 16
FIXED_MASKS = 100
"""With untrained weights, thresholds are set so that this many automatic masks survive."""


def bench(
    model: str, settings: Settings, repeats: int, automask_images: int, points_per_side: int, untrained: bool
) -> Path:
    """Measure and write the results; returns the JSON file."""
    commit = _commit()  # of what runs, whatever happens to the files meanwhile
    device = pick_device(settings.device)
    path = None if untrained else zoo.fetch(zoo.spec_of(model), settings.models_dir)
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    runners, packaged_load = _runners(model, path, device, settings, wait)
    images = photos()
    eager = runners["eager"]
    amg = [_automask_settings(eager, image, points_per_side, untrained) for image in images[:automask_images]]
    rng = np.random.default_rng(0)
    width, height = CLICK_SIZE
    clicks = (rng.random((max(repeats, CLICKS), 1, 2)) * (width, height)).astype(np.float32)
    batches = max(3, repeats // 4)
    many = (rng.random((batches, MPS_POINTS, 2)) * (width, height)).astype(np.float32)
    tasks: dict[str, tuple[int, Callable[[Runner, int], tuple[list[Rle], dict[str, float]]]]] = {
        "SPS": (repeats, lambda runner, i: runner.points(images[i % len(images)], clicks[i])),
        "MPS": (batches, lambda runner, i: runner.points(images[i % len(images)], many[i])),
        "AMG": (automask_images, lambda runner, i: runner.automatic(images[i % len(amg)], amg[i % len(amg)])),
    }
    results: dict[str, Any] = {}
    for task, (count, work) in tasks.items():
        results[task] = _interleave(task, device, list(runners.values()), count, work)
    results["CLICK"] = _clicks(device, list(runners.values()), images, clicks)
    variant = model if settings.dtype == "auto" else f"{model}-{settings.dtype}"
    record = {
        "model": variant,
        "weights": "seeded random" if untrained else "checkpoint",
        "machine": _machine(device),
        "versions": {name: version(name) for name in ("torch", "sam2", "numpy", "opencv-python-headless")},
        "commit": commit,
        "command": "annotator bench " + " ".join(sys.argv[2:]),
        "precision": {name: runner.precision for name, runner in runners.items()},
        "left_out": {"reference": reason} if (reason := why_not(model, device)) else {},
        "input": f"{len(images)} sample photos as JPEG, {width} x {height}",
        "automask": {
            "points_per_side": points_per_side,
            "iou_thresholds": [round(each.iou_threshold, 6) for each in amg],
            "stability_threshold": amg[0].stability_threshold,
        },
        "packages_load_ms": packaged_load,
        "first_result_ms": first_results(model, settings, untrained),
        "results": results,
    }
    kind = "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device).split()[1].lower()
    target = ROOT / "results" / f"{datetime.now(UTC):%Y-%m-%d}-{kind}-{variant}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(record, indent=1) + "\n")
    return target


def _runners(
    model: str, path: Path | None, device: torch.device, settings: Settings, wait: Callable[[], None]
) -> tuple[dict[str, Runner], float]:
    """The baselines, ours eager, ours packaged, on the same weights; and the milliseconds loading the packages took."""
    runners: list[Runner] = [Baseline("official", Official(model, path, device), wait)]
    if why_not(model, device) is None:
        runners.append(Baseline("reference", Reference(model, path, device), wait))
    eager = Predictor.eager(model, path, device, pick_dtype(settings.dtype, device))
    packages = packages_of(settings, untrained=path is None)
    try:
        load_packages(packages, model, eager.key, device, eager.dtype)
    except ModelUnavailable as reason:
        print(f"{reason} Compiling.", file=sys.stderr)
        compile_packages(eager, packages)
    started = time.perf_counter()
    packaged = load_packages(packages, model, eager.key, device, eager.dtype)
    load_ms = (time.perf_counter() - started) * 1e3
    runners += [Ours("eager", eager, wait), Ours("packaged", packaged, wait)]
    return {each.name: each for each in runners}, load_ms


def _automask_settings(eager: Runner, data: bytes, points_per_side: int, untrained: bool) -> AutomaskSettings:
    assert isinstance(eager, Ours)
    if not untrained:
        return AutomaskSettings.of(zoo.spec_of(eager.predictor.model), points_per_side)
    # Random scores: the threshold that exactly so many masks of this image pass, and no other filter.
    image = decode_image(data)
    (embedding,) = eager.predictor.encode([image])
    settings = AutomaskSettings(points_per_side=points_per_side, stability_threshold=0.0, nms_threshold=1.0)
    grid = point_grid(points_per_side, *image.shape[:2])
    chunks = np.array_split(grid, math.ceil(len(grid) / OFFICIAL_CHUNK))
    answers = [eager.predictor.decode([embedding], PromptBatch.points(each)).scores[:, 1:] for each in chunks]
    best = torch.cat(answers).flatten().float().sort(descending=True).values
    threshold = float(best[FIXED_MASKS - 1 : FIXED_MASKS + 1].mean()) if len(best) > FIXED_MASKS else -1.0
    return replace(settings, iou_threshold=threshold)


def _interleave(
    task: str,
    device: torch.device,
    runners: Sequence[Runner],
    count: int,
    work: Callable[[Runner, int], tuple[list[Rle], dict[str, float]]],
) -> dict[str, Any]:
    """Run `count` inputs, each by every runner in rotating order, after one warm-up each (not for AMG: it is long).

    Peak memory is taken of each runner's first run; on a GPU of the second, for libraries keep what they set up in the
    first.
    """
    cuda = device.type == "cuda"
    first = -2 if cuda else 0 if task == "AMG" else -1
    memory: dict[str, float | None] = {}
    times: dict[str, list[float]] = defaultdict(list)
    spans: dict[str, list[dict[str, float]]] = defaultdict(list)
    masks: dict[str, list[list[Rle]]] = defaultdict(list)
    for i in range(first, count):
        for turn in range(len(runners)):
            runner = runners[(turn + i) % len(runners)]
            start = time.perf_counter()
            if i == first + cuda:
                (found, parts), memory[runner.name] = peak_memory(device, partial(work, runner, max(i, 0)))
            else:
                found, parts = work(runner, i)
            took = (time.perf_counter() - start) * 1e3
            if i < 0:
                continue
            times[runner.name].append(took)
            spans[runner.name].append(parts)
            masks[runner.name].append(found)
        print(f"{task} {max(i, 0) + 1}/{count}", file=sys.stderr)
    reference = times["official"]
    return {
        runner.name: {
            **percentiles(times[runner.name]),
            "speedup_p50": round(float(np.median(np.array(reference) / np.array(times[runner.name]))), 3),
            "peak_memory_mib": None if (peak := memory[runner.name]) is None else round(peak),
            "spans_p50_ms": _median_spans(spans[runner.name]),
            "accuracy": agreement(masks["official"], masks[runner.name]),
        }
        for runner in runners
    }


def _clicks(device: torch.device, runners: Sequence[Runner], images: list[bytes], clicks: FloatArray) -> dict[str, Any]:
    def on_prepared(runner: Runner, i: int) -> tuple[list[Rle], dict[str, float]]:
        return runner.click(clicks[i])

    for runner in runners:
        runner.prepare_click(images[0])
    return _interleave("CLICK", device, runners, len(clicks), on_prepared)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """N; p50, p90, p99 and the interquartile range, in milliseconds; and the throughput, runs a second."""
    p25, p50, p75, p90, p99 = np.percentile(values, (25, 50, 75, 90, 99))
    found = {"p50": p50, "p90": p90, "p99": p99, "iqr": p75 - p25, "per_second": 1e3 / np.mean(values)}
    return {"n": len(values), **{name: round(float(value), 2) for name, value in found.items()}}


def _median_spans(spans: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.median([each[name] for each in spans])), 2) for name in spans[0]}


def agreement(reference: list[list[Rle]], found: list[list[Rle]]) -> dict[str, float]:
    """Mean IoU by optimal matching, recall at IoU 0.9, and the share of images whose number of masks differs.

    Two empty masks agree; images whose counts differ are kept in both figures, a mask without a partner with IoU 0.
    """
    ious: list[float] = []
    differing = 0
    for wanted, given in zip(reference, found, strict=True):
        differing += len(wanted) != len(given)
        others = [_rle(each) for each in given]
        table = np.zeros((len(wanted), len(others)))
        for i, a in enumerate(map(_rle, wanted)):
            for j, b in enumerate(others):
                table[i, j] = rles.iou(a, b) if rles.area(a) or rles.area(b) else 1.0
        matched = table[linear_sum_assignment(table, maximize=True)].tolist()
        ious += matched + [0.0] * (len(wanted) - len(matched))
    return {
        "miou": round(float(np.mean(ious)), 5) if ious else 1.0,
        "recall_at_90": round(float(np.mean([each >= 0.9 for each in ious])), 5) if ious else 1.0,
        "count_mismatch": round(differing / max(1, len(reference)), 4),
        "masks_per_image": round(float(np.mean([len(each) for each in found])), 1),
    }


def _rle(entry: Rle) -> RLE:
    height, width = entry["size"]
    counts = entry["counts"]
    if isinstance(counts, str):
        return rles.from_coco_string(counts, height, width)
    return rles.from_counts(counts, height, width)


def _machine(device: torch.device) -> dict[str, Any]:
    processor = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "python": platform.python_version(),
    }


def _commit() -> str:
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or "unknown"
