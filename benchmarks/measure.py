"""Time and peak memory of several runners on the same inputs, interleaved, and how far their masks agree."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pycocotools import mask as coco
from scipy.optimize import linear_sum_assignment

from benchmarks.memory import peak_memory
from benchmarks.tasks import Rle, Runner, Spans

log = logging.getLogger(__name__)

Work = Callable[[Runner, int], tuple[list[Rle], Spans]]
"""A runner's answer to the i-th input of a task."""

BASELINE = "official"


@dataclass
class _Record:
    """What one runner did in one task."""

    times: list[float] = field(default_factory=list)
    spans: list[Spans] = field(default_factory=list)
    masks: list[list[Rle]] = field(default_factory=list)
    peak_mib: float | None = None


def interleave(
    task: str, device: torch.device, runners: Sequence[Runner], count: int, work: Work
) -> tuple[dict[str, Any], dict[str, str]]:
    """Run `count` inputs, each by every runner in rotating order. Returns the figures, and why runners are not in them.

    A runner that raises is left out, the others go on. Warm-ups come first: two on a GPU, where libraries keep what
    they set up in the first and peak memory is that of the second; one on a CPU, none for AMG, which is long there.
    """
    cuda = device.type == "cuda"
    first = -2 if cuda else 0 if task == "AMG" else -1
    records = {runner.name: _Record() for runner in runners}
    left_out: dict[str, str] = {}
    for i in range(first, count):
        turns = [runners[(turn + i) % len(runners)] for turn in range(len(runners))]
        for runner in (each for each in turns if each.name not in left_out):
            try:
                _run(records[runner.name], device, runner, i, work, measure_memory=i == first + cuda)
            except Exception as error:
                log.exception("%s failed in %s.", runner.name, task)
                left_out[runner.name] = f"{task} failed: {type(error).__name__}: {str(error)[:300]}"
    log.info("%s: %d inputs", task, count)
    kept = {name: record for name, record in records.items() if name not in left_out}
    baseline = kept.get(BASELINE)
    return {name: _figures(record, baseline) for name, record in kept.items()}, left_out


def _run(record: _Record, device: torch.device, runner: Runner, i: int, work: Work, measure_memory: bool) -> None:
    start = time.perf_counter()
    if measure_memory:
        (masks, spans), record.peak_mib = peak_memory(device, lambda: work(runner, max(i, 0)))
    else:
        masks, spans = work(runner, max(i, 0))
    took = (time.perf_counter() - start) * 1e3
    if i >= 0:
        record.times.append(took)
        record.spans.append(spans)
        record.masks.append(masks)


def _figures(record: _Record, baseline: _Record | None) -> dict[str, Any]:
    figures: dict[str, Any] = percentiles(record.times)
    figures["peak_memory_mib"] = None if record.peak_mib is None else round(record.peak_mib)
    figures["spans_p50_ms"] = {
        name: round(float(np.median([each[name] for each in record.spans])), 2) for name in record.spans[0]
    }
    if baseline is not None:
        ratios = np.array(baseline.times) / np.array(record.times)
        figures["speedup_p50"] = round(float(np.median(ratios)), 3)
        figures["accuracy"] = agreement(baseline.masks, record.masks)
    return figures


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """N; p50, p90, p99 and the interquartile range, in milliseconds; and the throughput, runs a second."""
    p25, p50, p75, p90, p99 = np.percentile(values, (25, 50, 75, 90, 99))
    found = {"p50": p50, "p90": p90, "p99": p99, "iqr": p75 - p25, "per_second": 1e3 / np.mean(values)}
    return {"n": len(values), **{name: round(float(value), 2) for name, value in found.items()}}


def agreement(reference: list[list[Rle]], found: list[list[Rle]]) -> dict[str, float]:
    """Mean IoU by optimal matching, recall at IoU 0.9, and the share of images whose number of masks differs.

    Two empty masks agree; images whose counts differ are kept in both figures, a mask without a partner with IoU 0.
    """
    ious: list[float] = []
    differing = 0
    for wanted, given in zip(reference, found, strict=True):
        differing += len(wanted) != len(given)
        table = _ious(wanted, given)
        matched = table[linear_sum_assignment(table, maximize=True)].tolist()
        ious += matched + [0.0] * (len(wanted) - len(matched))
    return {
        "miou": round(float(np.mean(ious)), 5) if ious else 1.0,
        "recall_at_90": round(float(np.mean([each >= 0.9 for each in ious])), 5) if ious else 1.0,
        "count_mismatch": round(differing / max(1, len(reference)), 4),
        "masks_per_image": round(float(np.mean([len(each) for each in found])), 1),
    }


def _ious(wanted: list[Rle], given: list[Rle]) -> npt.NDArray[np.float64]:
    """IoU of every pair [len(wanted), len(given)]; 1 for two empty masks."""
    if not wanted or not given:
        return np.zeros((len(wanted), len(given)))
    a, b = ([_compressed(each) for each in masks] for masks in (wanted, given))
    empty = (coco.area(a) == 0)[:, None] & (coco.area(b) == 0)
    return np.where(empty, 1.0, np.nan_to_num(coco.iou(a, b, [False] * len(b))))


def _compressed(mask: Rle) -> Rle:
    if isinstance(mask["counts"], list):
        compressed: Rle = coco.frPyObjects(mask, *mask["size"])
        return compressed
    return mask
