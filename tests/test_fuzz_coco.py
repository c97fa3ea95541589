"""A seeded share of `python -m benchmarks.fuzz coco`, `requests` and `rle`."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import TARGETS, Report, run_case


@pytest.mark.parametrize(
    ("target", "cases", "outcomes"),
    [
        ("coco", 60, ["refused", "nothing used", "some used", "all used"]),
        ("rle", 600, ["refused", "decoded"]),
    ],
)
def test_odd_input_is_used_or_refused_in_a_sentence(target: str, cases: int, outcomes: list[str]) -> None:
    report = Report()
    for number in range(cases):
        report.add(number, *run_case(TARGETS[target], 7, number))
    assert not report.crashes
    assert not report.hangs
    assert set(report.outcomes) == set(outcomes) and min(report.outcomes.values()) > 1


def test_odd_requests_are_answered_and_valid_ones_accepted() -> None:
    report = Report()
    for number in range(300):
        report.add(number, *run_case(TARGETS["requests"], 7, number))
    assert not report.crashes
    assert not report.hangs
    assert min(report.outcomes[each] for each in ("200", "201", "404", "405", "422")) > 2
