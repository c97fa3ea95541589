"""The scheduler: who goes first, who is cancelled, who is refused."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress

import pytest

from annotator.errors import Busy, Cancelled
from annotator.serving.engine import Chunks, Engine, Priority


@pytest.fixture
def engine() -> Iterator[Engine]:
    running = Engine(max_queue=8)
    yield running
    running.close()


class Gate:
    """Holds the engine's thread until opened, so that a test can fill the queue behind it."""

    def __init__(self, engine: Engine, priority: Priority = Priority.BACKGROUND) -> None:
        self._open, entered = threading.Event(), threading.Event()

        def wait() -> None:
            entered.set()
            self._open.wait(10)

        engine.submit(priority, wait)
        assert entered.wait(10)

    def open(self) -> None:
        self._open.set()


def test_clicks_go_before_hovers_encodes_and_background_work(engine: Engine) -> None:
    gate, order = Gate(engine), []
    tasks = [
        engine.submit(priority, lambda p=priority: order.append(p))
        for priority in (Priority.BACKGROUND, Priority.ENCODE, Priority.HOVER, Priority.CLICK)
    ]
    gate.open()
    for task in tasks:
        task.result(10)
    assert order == [Priority.CLICK, Priority.HOVER, Priority.ENCODE, Priority.BACKGROUND]


def test_a_click_waits_for_one_chunk_of_long_work_at_most(engine: Engine) -> None:
    order: list[str] = []
    begun, clicked = threading.Event(), threading.Event()

    def long() -> Generator[None, None, str]:
        for chunk in range(3):
            order.append(f"chunk {chunk}")
            begun.set()
            if chunk == 0:
                clicked.wait(10)
            yield
        return "finished"

    task = engine.submit(Priority.BACKGROUND, long())
    assert begun.wait(10)
    click = engine.submit(Priority.CLICK, lambda: order.append("click"))
    clicked.set()
    click.result(10)
    assert task.result(10) == "finished"
    assert order == ["chunk 0", "click", "chunk 1", "chunk 2"]


def test_long_work_learns_what_waits_that_may_go_before_it(engine: Engine) -> None:
    gate = Gate(engine)
    assert not engine.is_wanted(Priority.BACKGROUND)
    for priority in reversed(Priority):
        assert not engine.is_wanted(priority)
        engine.submit(priority, lambda: None)
        assert [each for each in Priority if engine.is_wanted(each)] == [each for each in Priority if each >= priority]
    gate.open()


def test_other_work_goes_on_while_prompts_keep_coming(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.serving.engine._MAX_PASSED_OVER", 0.0)
    gate, order = Gate(engine), []

    def long() -> Generator[None, None, None]:
        for _ in range(2):
            order.append("chunk")
            yield

    tasks = [engine.submit(Priority.CLICK, lambda: order.append("click")) for _ in range(3)]
    tasks += [engine.submit(Priority.BACKGROUND, long())]
    gate.open()
    for task in tasks:
        task.result(10)
    assert order == ["click", "chunk", "click", "chunk", "click"]


@pytest.mark.parametrize("often", [Priority.CLICK, Priority.ENCODE])
@pytest.mark.parametrize("passed_over", [Priority.HOVER, Priority.BACKGROUND])
def test_no_priority_waits_for_ever(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, often: Priority, passed_over: Priority
) -> None:
    monkeypatch.setattr("annotator.serving.engine._MAX_PASSED_OVER", 0.0)
    gate, ended = Gate(engine), threading.Event()

    def until_the_other_ends() -> Generator[None, None, None]:
        while not ended.is_set():
            yield

    endless = engine.submit(often, until_the_other_ends())
    other = engine.submit(passed_over, ended.set)
    gate.open()
    other.result(10)
    endless.result(10)


def test_work_in_the_middle_of_a_chunk_is_ended_when_the_engine_closes() -> None:
    engine, begun, go = Engine(), threading.Event(), threading.Event()

    def work() -> Generator[None, None, None]:
        begun.set()
        go.wait(10)
        yield

    task = engine.submit(Priority.BACKGROUND, work())
    assert begun.wait(10)
    closing = threading.Thread(target=engine.close)
    closing.start()
    with suppress(Busy):
        while True:  # until it is closed
            engine.submit(Priority.CLICK, lambda: None)
    go.set()
    closing.join(10)
    with pytest.raises(Busy):
        task.result(0)


def test_a_newer_hover_cancels_the_older_one(engine: Engine) -> None:
    gate, ran = Gate(engine), []
    older = engine.submit(Priority.HOVER, lambda: ran.append("older"), "hover:me")
    newer = engine.submit(Priority.HOVER, lambda: ran.append("newer"), "hover:me")
    gate.open()
    newer.result(10)
    with pytest.raises(Cancelled):
        older.result(10)
    assert ran == ["newer"]


def test_cancelled_long_work_stops_before_its_next_chunk_and_is_closed(engine: Engine) -> None:
    started, closed, go = threading.Event(), threading.Event(), threading.Event()
    chunks: list[int] = []

    def long() -> Generator[None, None, None]:
        try:
            while True:
                chunks.append(1)
                started.set()
                go.wait(10)
                yield
        finally:
            closed.set()

    task = engine.submit(Priority.BACKGROUND, long())
    assert started.wait(10)
    task.cancel()
    go.set()
    assert closed.wait(10)
    assert len(chunks) == 1


def test_work_that_waits_for_a_future_lets_others_pass_and_goes_on_after_it(engine: Engine) -> None:
    pixels: Future[int] = Future()

    def work() -> Chunks[int]:
        yield pixels
        return pixels.result() + 1

    waits = engine.submit(Priority.CLICK, work())
    assert engine.submit(Priority.BACKGROUND, lambda: "passed").result(10) == "passed"
    assert not waits.done()
    pixels.set_result(41)
    assert waits.result(10) == 42


def test_work_that_waits_for_a_future_ends_when_it_is_cancelled_superseded_or_the_engine_closes() -> None:
    engine = Engine()
    left: queue.Queue[str] = queue.Queue()

    def work(name: str) -> Chunks[None]:
        try:
            yield Future()  # nobody ever sets it
        finally:
            left.put(name)

    for priority in (Priority.CLICK, Priority.HOVER, Priority.ENCODE):
        cancelled = engine.submit(priority, work("cancelled"))
        engine.submit(Priority.BACKGROUND, lambda: None).result(10)
        cancelled.cancel()
        assert left.get(timeout=10) == "cancelled"
    older = engine.submit(Priority.HOVER, work("older"), "hover:me")
    engine.submit(Priority.BACKGROUND, lambda: None).result(10)
    last = engine.submit(Priority.HOVER, work("newer"), "hover:me")
    assert left.get(timeout=10) == "older"
    engine.submit(Priority.BACKGROUND, lambda: None).result(10)
    engine.close()
    with pytest.raises(Cancelled):
        older.result(10)
    with pytest.raises(Busy):
        last.result(10)


def test_a_full_queue_answers_busy_but_background_work_keeps_no_click_out(engine: Engine) -> None:
    gate = Gate(engine, Priority.CLICK)
    for priority in (Priority.ENCODE, Priority.BACKGROUND) * 4:
        engine.submit(priority, lambda: None)
    for priority in (Priority.ENCODE, Priority.BACKGROUND):
        with pytest.raises(Busy):
            engine.submit(priority, lambda: None)
    clicks = [engine.submit(Priority.CLICK, lambda: None) for _ in range(7)]  # the gate is one as well
    with pytest.raises(Busy):
        engine.submit(Priority.CLICK, lambda: None)
    gate.open()
    for click in clicks:
        click.result(10)


def test_cancelled_work_makes_room(engine: Engine) -> None:
    gate = Gate(engine)
    for _ in range(50):
        engine.submit(Priority.BACKGROUND, lambda: None).cancel()
    last = engine.submit(Priority.BACKGROUND, lambda: "ran")
    gate.open()
    assert last.result(10) == "ran"


def taken_after_slow_clicks(ended: int) -> int:
    """How many of 200 clicks at once are not refused, once `ended` slow ones told what a click takes."""
    engine = Engine()
    slow = threading.Event()
    for _ in range(ended):
        engine.submit(Priority.CLICK, lambda: slow.wait(0.3)).result(10)
    gate = Gate(engine)
    taken, refused = 0, 0
    for _ in range(200):
        try:
            engine.submit(Priority.CLICK, lambda: None)
            taken += 1
        except Busy:
            refused += 1
    gate.open()
    engine.close()
    assert refused == 200 - taken
    return taken


def test_clicks_that_would_wait_for_many_slow_ones_are_refused_at_once() -> None:
    assert 7 <= taken_after_slow_clicks(8) < 20


def test_the_first_click_alone_refuses_nobody_since_it_may_have_waited_for_the_model_to_load() -> None:
    assert taken_after_slow_clicks(1) == 200


def test_work_that_is_given_up_while_it_runs_does_not_stop_the_engine(engine: Engine) -> None:
    started, go = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(10)

    given_up = engine.submit(Priority.CLICK, work)
    assert started.wait(10)
    assert given_up.cancel()
    go.set()
    assert engine.submit(Priority.CLICK, lambda: 42).result(10) == 42


def test_an_exception_reaches_the_caller_and_the_engine_goes_on(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        engine.submit(Priority.CLICK, lambda: 1 / 0).result(10)
    assert engine.submit(Priority.CLICK, lambda: 42).result(10) == 42


def test_closing_answers_busy_to_what_waits_and_what_comes() -> None:
    engine = Engine()
    gate = Gate(engine)
    waiting = engine.submit(Priority.ENCODE, lambda: None)
    threading.Timer(0.1, gate.open).start()
    engine.close()
    with pytest.raises(Busy):
        waiting.result(10)
    with pytest.raises(Busy):
        engine.submit(Priority.CLICK, lambda: None)
