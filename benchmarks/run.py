"""Run the tasks for every implementation, interleaved, and write one JSON file, anew after each task.

What cannot run is left out, with the reason in the file; the rest goes on.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotator.sam import zoo
from annotator.sam.automask import AutomaskSettings, point_grid
from annotator.sam.candidates import OFFICIAL_CHUNK
from annotator.sam.predictor import Predictor, PromptBatch
from benchmarks import machine
from benchmarks.first_result import first_results
from benchmarks.floor import floors
from benchmarks.measure import Work, interleave
from benchmarks.official import Official
from benchmarks.reference import Reference, why_not
from benchmarks.target import Target
from benchmarks.tasks import CLICK_SIZE, Baseline, Ours, Runner, decode_image, photos

log = logging.getLogger(__name__)

TASKS = ("CLICK", "SPS", "MPS", "AMG")
CLICKS = 100
"""At least so many clicks are timed: a p99 means nothing of fewer."""
MPS_POINTS = 16
FIXED_MASKS = 100
"""With untrained weights, thresholds are set so that about so many automatic masks survive."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    repeats: int
    automask_images: int
    points_per_side: int
    tasks: tuple[str, ...] = TASKS
    compiled_reference: bool = False
    fresh_processes: int = 3
    """For the time to the first result."""


def bench(target: Target, plan: Plan, folder: Path) -> Path:
    """Measure and write the results into `folder`; returns the JSON file."""
    device = target.device
    variant = target.model if target.settings.dtype == "auto" else f"{target.model}-{target.settings.dtype}"
    path = folder / f"{datetime.now(UTC):%Y-%m-%d}-{machine.short_name(device)}-{variant}.json"
    images = photos()
    record: dict[str, Any] = {
        "model": variant,
        "weights": "seeded random" if target.untrained else "checkpoint",
        "machine": machine.describe(device),
        "versions": machine.versions(),
        "commit": machine.commit(),
        "command": "python -m benchmarks " + " ".join(sys.argv[1:]),
        "input": f"{len(images)} sample photos as JPEG, {CLICK_SIZE[0]} x {CLICK_SIZE[1]}",
        "left_out": {},
        "results": {},
    }

    def save() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")

    record["floor_ms"] = floors(target.model, record["machine"]["gpu"], plan.points_per_side**2)
    runners = _runners(target, plan, record)
    record["precision"] = {runner.name: runner.precision for runner in runners}
    save()
    amg = [_automask_settings(target, runners, each, plan) for each in images[: plan.automask_images]]
    record["automask"] = {
        "points_per_side": plan.points_per_side,
        "iou_thresholds": [round(each.iou_threshold, 6) for each in amg],
        "stability_threshold": amg[0].stability_threshold,
    }
    for task, (count, work) in _tasks(images, amg, plan).items():
        if task in plan.tasks:
            if task == "CLICK":
                for runner in runners:
                    runner.prepare_click(images[0])
            record["results"][task], failed = interleave(task, device, runners, count, work)
            record["left_out"] |= failed
            save()
    if plan.fresh_processes:
        kinds = tuple(each.name for each in runners if isinstance(each, Ours))
        record["first_result_ms"] = first_results(target, kinds, plan.fresh_processes)
        save()
    return path


def _runners(target: Target, plan: Plan, record: dict[str, Any]) -> list[Runner]:
    """The baselines, ours eager, ours packaged, on the same weights. What is not there is in `record["left_out"]`."""
    model, device, path = target.model, target.device, target.weights
    cuda = device.type == "cuda"
    wait: Callable[[], None] = torch.cuda.synchronize if cuda else (lambda: None)
    runners: list[Runner] = []

    def add(name: str, make: Callable[[], Runner], reason: str | None = None) -> None:
        try:
            if reason is None:
                runners.append(make())
        except Exception as error:
            log.exception("%s cannot run.", name)
            reason = f"{type(error).__name__}: {str(error)[:300]}"
        if reason is not None:
            record["left_out"][name] = reason

    def ours(name: str, make: Callable[[], Predictor]) -> Runner:
        start = time.perf_counter()
        predictor = make()
        record.setdefault("load_ms", {})[name] = round((time.perf_counter() - start) * 1e3, 1)
        return Ours(name, predictor, wait)

    add("official", lambda: Baseline("official", Official(model, path, device), wait))
    add(
        "autocast",
        lambda: Baseline("autocast", Official(model, path, device, autocast=True), wait),
        None if cuda else "it is how a GPU runs it",
    )
    unfit = why_not(model, device)
    add("reference", lambda: Baseline("reference", Reference(model, path, device), wait), unfit)
    if plan.compiled_reference:
        compiled = "reference-compiled"
        add(compiled, lambda: Baseline(compiled, Reference(model, path, device, compiled=True), wait), unfit)
    add("eager", lambda: ours("eager", target.eager))
    add("packaged", lambda: ours("packaged", target.packaged), target.compile_missing())
    return runners


def _tasks(images: list[bytes], amg: list[AutomaskSettings], plan: Plan) -> dict[str, tuple[int, Work]]:
    """Each task's number of inputs, and what a runner does with the i-th."""
    rng = np.random.default_rng(0)
    clicks = (rng.random((max(plan.repeats, CLICKS), 1, 2)) * CLICK_SIZE).astype(np.float32)
    batches = max(3, plan.repeats // 4)
    many = (rng.random((batches, MPS_POINTS, 2)) * CLICK_SIZE).astype(np.float32)
    return {
        "CLICK": (len(clicks), lambda runner, i: runner.click(clicks[i])),
        "SPS": (plan.repeats, lambda runner, i: runner.points(images[i % len(images)], clicks[i])),
        "MPS": (batches, lambda runner, i: runner.points(images[i % len(images)], many[i])),
        "AMG": (len(amg), lambda runner, i: runner.automatic(images[i], amg[i])),
    }


def _automask_settings(target: Target, runners: list[Runner], data: bytes, plan: Plan) -> AutomaskSettings:
    eager = next((each for each in runners if isinstance(each, Ours)), None)
    if not target.untrained or eager is None:
        settings = AutomaskSettings.of(zoo.spec_of(target.model), plan.points_per_side)
        # Official sam2 knows no saliency; without it this threshold leaves about as many masks.
        return replace(settings, by_saliency=False, iou_threshold=0.65) if settings.by_saliency else settings
    # Random scores are close together: the threshold is the middle of their widest gap near the wanted rank, so that
    # rounding seldom decides, and there is no other filter.
    image = decode_image(data)
    (embedding,) = eager.predictor.encode([image])
    settings = AutomaskSettings(points_per_side=plan.points_per_side, stability_threshold=0.0, nms_threshold=1.0)
    grid = point_grid(plan.points_per_side, *image.shape[:2])
    chunks = np.array_split(grid, math.ceil(len(grid) / OFFICIAL_CHUNK))
    answers = [eager.predictor.decode([embedding], PromptBatch.points(each)).scores[:, 1:] for each in chunks]
    best = torch.cat(answers).flatten().float().sort(descending=True).values
    near = best[FIXED_MASKS // 2 : 2 * FIXED_MASKS]
    if len(near) < 2:
        return replace(settings, iou_threshold=-1.0)
    widest = int((near[:-1] - near[1:]).argmax())
    return replace(settings, iou_threshold=float(near[widest : widest + 2].mean()))
