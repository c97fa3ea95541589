"""Decodes together stay within a limit of memory: in turn, or refused; nothing is kept afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from annotator.errors import Busy, InvalidImage
from annotator.imaging import decode as decoding
from annotator.imaging.budget import MemoryBudget
from tests.data.pictures import encoded, gradient, zeros_png

LIMIT = 40_000_000


@contextmanager
def held(budget: MemoryBudget, size: int) -> Iterator[threading.Event]:
    """Another thread that takes a share, and holds it until the event is set or the block ends."""
    taken, done = threading.Event(), threading.Event()

    def work() -> None:
        with budget.hold(size):
            taken.set()
            done.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert taken.wait(5)
    try:
        yield done
    finally:
        done.set()
        thread.join()


def waiting(budget: MemoryBudget, number: int) -> None:
    """Return when that many are in line."""
    for _ in range(5000):
        if budget.waiting == number:
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"{budget.waiting} wait instead of {number}")


def test_what_fits_runs_at_once_and_the_rest_waits() -> None:
    budget = MemoryBudget(100, wait_s=5)
    order: list[str] = []

    def take(name: str, size: int) -> None:
        with budget.hold(size):
            order.append(name)

    with held(budget, 40), held(budget, 40) as second:
        assert budget.used == 80
        large = threading.Thread(target=take, args=("large", 60))
        large.start()
        waiting(budget, 1)
        small = threading.Thread(target=take, args=("small", 10))  # fits, but came later
        small.start()
        waiting(budget, 2)
        assert order == []
        second.set()
        large.join(5)
        small.join(5)
    assert order == ["large", "small"]
    assert budget.used == 0


def test_what_is_larger_than_all_runs_alone() -> None:
    budget = MemoryBudget(100, wait_s=0)
    with budget.hold(1000):
        assert budget.used == 100
        with pytest.raises(Busy), budget.hold(1):
            pass
    with budget.hold(100):
        pass


def test_who_waits_too_long_or_behind_too_many_is_refused_and_may_return() -> None:
    budget = MemoryBudget(100, wait_s=0.01, max_waiting=0)
    with pytest.raises(Busy), budget.hold(1):
        pass
    budget = MemoryBudget(100, wait_s=0.01)
    with held(budget, 100):
        with pytest.raises(Busy, match="try again") as caught, budget.hold(1):
            pass
        assert caught.value.retry_after >= 1
        assert budget.waiting == 0
    with budget.hold(1):
        pass


def test_a_failed_decode_gives_its_share_back(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryBudget(1 << 20, wait_s=0)
    monkeypatch.setattr(decoding, "BUDGET", budget)
    for _ in range(3):
        with pytest.raises(InvalidImage):
            decoding.decode(encoded(gradient(300, 200), "PNG")[:-200], "x", LIMIT)
        decoding.decode(encoded(gradient(300, 200), "PNG"), "x", LIMIT)
    assert budget.used == 0


@pytest.mark.parametrize("decode", [decoding.decode, decoding.decode_pixels])
def test_a_picture_waits_for_its_pixels_not_for_its_bytes(
    monkeypatch: pytest.MonkeyPatch, decode: type[decoding.decode]
) -> None:
    budget = MemoryBudget(64 << 20, wait_s=0)
    monkeypatch.setattr(decoding, "BUDGET", budget)
    bomb = zeros_png(3000, 3000)
    assert len(bomb) < 100_000
    with budget.hold(1 << 20), pytest.raises(Busy):
        decode(bomb, "x", LIMIT)
    assert decode(bomb, "x", LIMIT) is not None


def test_large_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(decoding, "return_free_memory", lambda: given.append(1))
    decoding.decode(encoded(gradient(), "PNG"), "x", LIMIT)
    assert not given
    decoding.decode(zeros_png(3000, 3000), "x", LIMIT)
    assert given
