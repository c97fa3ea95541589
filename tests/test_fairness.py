"""Fair between users: one who asks for much waits for it, and keeps nobody else waiting or out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, cast

import pytest

from annotator.errors import Busy, NotFound
from annotator.serving import engine as engines
from annotator.serving import together
from annotator.serving.engine import Engine, Priority
from annotator.serving.fair_queue import FairQueue, has_room
from annotator.serving.jobs import AutomaskJob, Jobs
from annotator.serving.memory import DeviceMemory
from annotator.serving.segmenter import AutomaskOptions, ImageSource, caller

MEMORY = DeviceMemory(lambda: None)


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    token = caller.set("")
    yield
    caller.reset(token)


def served(queue: FairQueue[str], seconds: Callable[[str], float], turns: int) -> list[str]:
    """Who is served in so many turns, each of which takes `seconds` of the item; items begin with their user."""
    order = []
    for _ in range(turns):
        item = queue.pop()
        queue.charge(item[0], seconds(item))
        order.append(item)
    return order


def test_who_has_had_less_time_goes_first_and_each_users_work_stays_in_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        queue.push(item[0], item)
    assert served(queue, lambda item: 1.0, 6) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert not queue


def test_time_counts_and_not_the_number_of_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for place in range(40):
        queue.push("a", f"a{place}")
        queue.push("b", f"b{place}")
    turns = Counter(item[0] for item in served(queue, lambda item: 0.4 if item[0] == "a" else 0.1, 40))
    assert turns["b"] == pytest.approx(4 * turns["a"], abs=4)


def test_nobody_saves_up_time_by_waiting_and_nobody_who_comes_late_is_behind() -> None:
    queue: FairQueue[str] = FairQueue()
    for place in range(100):
        queue.push("a", f"a{place}")
    served(queue, lambda item: 1.0, 50)
    queue.push("b", "b0")
    for place in range(1, 20):
        queue.push("b", f"b{place}")
    order = served(queue, lambda item: 1.0, 10)
    assert order[0] == "b0" and Counter(item[0] for item in order) == {"a": 5, "b": 5}


def test_small_work_is_served_as_it_comes_so_that_it_is_decoded_together() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "b1", "a3"):
        queue.push(item[0], item)
    assert served(queue, lambda item: 1e-3, 4) == ["a1", "a2", "b1", "a3"]


def test_users_who_left_are_forgotten() -> None:
    queue: FairQueue[int] = FairQueue()
    for each in range(5000):
        queue.push(str(each), each)
        queue.charge(str(queue.pop()), 1e-6)
    assert not queue._seconds


@pytest.mark.parametrize(
    ("own", "total", "users", "room"), [(9, 9, 1, True), (10, 10, 1, False), (4, 10, 2, True), (5, 10, 2, False)]
)
def test_whoever_has_less_than_an_equal_share_has_room(own: int, total: int, users: int, room: bool) -> None:
    assert has_room(own, total, users, most=10) == room


def submit_as(engine: Engine, user: str, work: Callable[[], Any], priority: Priority = Priority.CLICK) -> Future[Any]:
    caller.set(user)
    return engine.submit(priority, work)


def held(engine: Engine) -> threading.Event:
    """Keeps the engine's thread busy until the event is set."""
    gate, entered = threading.Event(), threading.Event()
    submit_as(engine, "", lambda: (entered.set(), gate.wait(10)), Priority.BACKGROUND)
    assert entered.wait(10)
    return gate


def test_a_user_who_fills_the_queue_is_refused_and_others_are_not() -> None:
    engine = Engine(max_queue=8)
    gate = held(engine)
    for _ in range(8):
        submit_as(engine, "greedy", lambda: None)
    with pytest.raises(Busy):
        submit_as(engine, "greedy", lambda: None)
    others = [submit_as(engine, user, lambda: "answered") for user in ("ann", "bob", "ann", "bob")]
    gate.set()
    assert [each.result(10) for each in others] == ["answered"] * 4
    engine.close()


def test_slow_work_of_one_user_keeps_him_out_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_MAX_WAIT_SECONDS", 0.1)
    engine = Engine()
    for _ in range(8):
        submit_as(engine, "greedy", lambda: threading.Event().wait(0.05)).result(10)  # what a click takes here
    gate = held(engine)
    refused = 0
    for _ in range(50):
        try:
            submit_as(engine, "greedy", lambda: None)
        except Busy:
            refused += 1
    assert refused >= 40
    click = submit_as(engine, "ann", lambda: "answered")
    gate.set()
    assert click.result(10) == "answered"
    engine.close()


def test_a_click_goes_before_the_many_of_another_user() -> None:
    engine, order = Engine(), list[str]()

    def click(user: str) -> None:
        order.append(user)
        threading.Event().wait(0.06)  # longer than what counts as equal

    gate = held(engine)
    clicks = [submit_as(engine, "greedy", lambda: click("greedy")) for _ in range(6)]
    clicks.append(submit_as(engine, "ann", lambda: click("ann")))
    gate.set()
    for each in clicks:
        each.result(10)
    assert order.index("ann") == 1
    engine.close()


def test_a_batch_is_filled_from_all_users_and_its_time_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[str]] = []
    monkeypatch.setattr(together, "_MOST", 6)
    monkeypatch.setattr(together, "_MOST_OF_ONE", 4)
    monkeypatch.setattr(together, "decode_together", lambda _, questions: batches.append(questions) or questions)
    engine = Engine()
    asking = together.Together(engine, MEMORY)
    shared: list[list[str]] = []
    share = engine.share
    monkeypatch.setattr(engine, "share", lambda users: (shared.append(sorted(users)), share(users)))

    def ask(user: str) -> None:
        caller.set(user)
        model, question = cast(Any, "model"), cast(Any, user)
        asking.ask(Priority.CLICK, model, question, lambda: True)

    gate = held(engine)
    for user in ["greedy"] * 9 + ["ann", "ann", "ann", "bob", "bob"]:
        engine.submit(Priority.CLICK, lambda user=user: ask(user))  # type: ignore[misc]
    gate.set()
    while engine.waiting(Priority.CLICK):
        threading.Event().wait(0.01)
    batches[:] = [sorted(each) for each in batches]
    assert batches[0] == shared[0] == ["ann", "ann", "bob", "bob", "greedy", "greedy"]
    assert batches[1:] == [["ann", "greedy"], ["greedy"] * 4, ["greedy"] * 2]
    engine.close()


def test_runs_of_one_user_keep_nobody_elses_out_and_push_no_result_of_others_out() -> None:
    image = ImageSource("a", 4, 4, lambda: None)  # type: ignore[arg-type, return-value]

    def add(job_id: str, user: str, state: str) -> None:
        caller.set(user)
        job = AutomaskJob(image, AutomaskOptions())
        jobs.add(job_id, job)
        job.state = state  # type: ignore[assignment]

    jobs = Jobs()
    add("mine", "ann", "done")
    for place in range(40):
        add(f"over{place}", "greedy", "done")
    assert jobs.get("mine")
    with pytest.raises(NotFound):
        jobs.get("over0")
    for place in range(31):
        add(f"runs{place}", "greedy", "running")
    with pytest.raises(Busy):
        add("more", "greedy", "running")
    add("another", "ann", "running")
    add("and another", "bob", "running")
    assert jobs.get("another") and jobs.get("and another")
