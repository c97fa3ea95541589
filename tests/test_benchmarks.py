"""The benchmark itself: it goes on without what is missing, says so, and counts right."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from torch import nn

from annotator.masks import rle as rles
from annotator.settings import Settings
from benchmarks import machine
from benchmarks.floor import Cost, _cost, costs, floors
from benchmarks.load_people import Log, Refused
from benchmarks.measure import agreement, interleave
from benchmarks.official import Official
from benchmarks.report import table
from benchmarks.run import Plan, bench
from benchmarks.similar import Search, figures
from benchmarks.target import Target
from benchmarks.tasks import Ours, Rle

CPU = torch.device("cpu")


def mask(*pixels: int) -> Rle:
    """A mask of 4 x 5 pixels."""
    flat = np.zeros(20, np.bool_)
    flat[list(pixels)] = True
    return rles.to_dict(rles.encode(flat.reshape(4, 5)))


def test_what_cannot_run_is_left_out_with_its_reason_and_the_rest_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no git
    monkeypatch.setattr(machine, "_PACKAGES", ("torch", "no-such-package"))
    target = Target("nano", Settings(device="cpu"), untrained=False, without_packages="no compiler (g++: not found).")
    path = bench(target, Plan(1, 1, 4, tasks=("SPS",), fresh_processes=0), tmp_path)
    record = json.loads(path.read_text())
    assert set(record["left_out"]) == {"autocast", "reference", "packaged"}
    assert record["left_out"]["packaged"] == "no compiler (g++: not found)."
    assert record["commit"] == record["versions"]["no-such-package"] == "unknown"
    assert record["results"]["SPS"]["eager"]["accuracy"]["miou"] > 0.99
    assert table(record).count("| SPS | ") == 2


class Fails(Ours):
    def __init__(self, name: str, after: int) -> None:
        self.name, self._left = name, after

    def click(self, xy: np.ndarray) -> tuple[list[Rle], dict[str, float]]:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("out of memory")
        return [mask(1, 2)], {"all": 1.0}


def test_a_runner_that_fails_midway_does_not_stop_the_others() -> None:
    runners = [Fails("official", 99), Fails("ours", 3)]
    found, left_out = interleave("CLICK", CPU, runners, 5, lambda runner, i: runner.click(np.zeros((1, 2))))
    assert found["official"]["n"] == 5
    assert "ours" not in found
    assert left_out == {"ours": "CLICK failed: RuntimeError: out of memory"}


def test_without_the_baseline_there_are_times_but_no_comparison() -> None:
    runners = [Fails("official", 0), Fails("ours", 99)]
    found, _ = interleave("CLICK", CPU, runners, 5, lambda runner, i: runner.click(np.zeros((1, 2))))
    assert found["ours"]["n"] == 5
    assert "accuracy" not in found["ours"]
    record = {"results": {"CLICK": found}}
    assert table(record).count("| CLICK | ") == 1


def test_masks_are_matched_one_to_one_and_those_without_a_partner_count() -> None:
    a, b, c = mask(0, 1, 2, 3), mask(10, 11), mask(0, 1)
    uncompressed = {"size": [4, 5], "counts": rles.encode(rles.decode(_rle(a))).counts.tolist()}
    assert agreement([[a, b]], [[b, uncompressed]])["miou"] == 1
    found = agreement([[a, b], [mask()]], [[c], [mask()]])
    assert found["miou"] == round((0.5 + 0 + 1) / 3, 5)
    assert found["count_mismatch"] == 0.5
    assert agreement([[]], [[a]])["count_mismatch"] == 1


def _rle(entry: Rle) -> rles.RLE:
    return rles.from_coco_string(entry["counts"], *entry["size"])


def test_the_autocast_baseline_is_the_official_model(cat: np.ndarray) -> None:
    target = Target("nano", Settings(device="cpu"), untrained=False)
    answers = []
    for autocast in (False, True):
        official = Official("nano", target.weights, CPU, autocast)
        official.set_image(cat)
        answers.append([official.best_masks(np.array([[220, 170]], np.float32))])
    assert agreement(answers[0], answers[1])["miou"] > 0.9
    assert not torch.backends.cuda.matmul.allow_tf32


def test_operations_and_bytes_are_counted_once_each() -> None:
    layer = nn.Linear(4, 8, device="meta", dtype=torch.float16)
    cost = _cost(nn.Sequential(layer, _Tuple()), torch.empty(2, 4, device="meta", dtype=torch.float16))
    assert cost == Cost(operations=2 * 2 * 4 * 8, bytes=2 * (4 * 8 + 8 + 2 * 4 + 2 * 8))
    assert cost.milliseconds(1e3, 1e6) == pytest.approx(128)
    assert cost.milliseconds(1e9, 1e3) == pytest.approx(cost.bytes)


class _Tuple(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x,)


def test_the_floor_is_known_for_cards_whose_rates_are() -> None:
    found = costs("nano")
    assert found["16 clicks"].operations > 10 * found["click"].operations
    tasks = floors("nano", "NVIDIA H100 80GB HBM3")
    assert tasks["CLICK"] < tasks["SPS"] < tasks["MPS"] < tasks["AMG"]
    assert floors("nano", None) == {}


def test_a_search_is_measured_at_each_similarity() -> None:
    first = Search(1, wanted=3, right=[(0.9, True), (0.55, False), (0.45, True)], parts=1, seconds=1.0)
    second = Search(1, wanted=1, right=[(0.42, False)], parts=1, seconds=1.0)
    rows = {row["similarity"]: (row["precision"], row["recall"]) for row in figures([first, second])}
    assert (rows[0.4], rows[0.45], rows[0.6]) == ((0.5, 0.5), (0.667, 0.5), (1.0, 0.25))


def test_a_load_counts_what_succeeds_by_its_time_and_what_fails_by_its_reason() -> None:
    log = Log()
    for _ in range(3):
        with log.timing("click"):
            pass
    with pytest.raises(Refused), log.timing("click"):
        raise Refused("503")
    with pytest.raises(Refused), log.timing("keep"):
        raise httpx.ReadTimeout("too late")
    found = log.figures()
    assert found["failures"] == {"click: 503": 1, "keep: ReadTimeout": 1}
    assert found["kinds"].keys() == {"click"}
    assert found["kinds"]["click"]["n"] == 3
