"""One scheduler per device: clicks first, long work in chunks, fair between users, bounded, cancellable.

A single worker thread owns the device. Work is either a function, run in one turn, or a generator, run one chunk per
turn, so that a click waits for one chunk at most. A generator that yields a future steps aside until that is done.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextvars import copy_context
from enum import IntEnum
from itertools import chain
from typing import Any, Generic, TypeVar

from annotator.errors import Busy, Cancelled
from annotator.serving.fair_queue import FairQueue, has_room
from annotator.serving.segmenter import caller

T = TypeVar("T")
Chunks = Generator[Future[Any] | None, None, T]
"""Work in chunks. It may yield a future: it goes on when that is done."""

_MAX_WAIT_SECONDS = 3.0
"""Prompts are refused at once if the queue before them would take longer than this."""

_MAX_PASSED_OVER = 0.25
"""Work that waits while work of other priorities takes so many seconds in a row has one turn, so that it goes on."""

_REMEMBERED = 64
"""Prompts whose duration says how long the queue will take."""

_LONGEST_TURN = 0.25
"""Most seconds of a turn that count there: the first one waits for the model to load."""

_ALWAYS_TAKEN = 8
"""Waiting prompts that are never refused, however slow the model is."""

_FEWEST_TIMED = 8
"""How long the queue will take is known once so many prompts have ended: the first ones take longer than others."""

_SHUTTING_DOWN = "The server is being stopped; try again in a moment."


class Priority(IntEnum):
    """Who goes first."""

    CLICK = 0
    HOVER = 1
    ENCODE = 2
    BACKGROUND = 3


class _Task(Generic[T]):
    """Work in the queue. Its future belongs to the caller, who may cancel it at any time."""

    def __init__(self, priority: Priority, work: Callable[[], T] | Chunks[T], user: str) -> None:
        self.priority, self.user = priority, user
        self.future: Future[T] = Future()
        self.awaited: Future[Any] | None = None
        self._work = work
        self._context = copy_context()  # log lines tell whose request it is

    def run(self) -> bool:
        """Run the function, or the generator's next chunk. True if there is more to do, once `awaited` is done."""
        try:
            if isinstance(self._work, Generator):
                self.awaited = self._context.run(next, self._work)
                return True
            self.finish(result=self._context.run(self._work))
        except StopIteration as stop:
            self.finish(result=stop.value)
        except Exception as error:
            self.finish(error=error)
        return False

    def close(self) -> None:
        """Let a generator that will not be resumed release what it holds."""
        if isinstance(self._work, Generator):
            self._work.close()

    def finish(self, result: T | None = None, error: Exception | None = None) -> None:
        """Set the outcome, unless there is one already: the first one stands."""
        try:
            if error is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result(result)  # type: ignore[arg-type]
        except InvalidStateError:
            pass


class Engine:
    """The queue and the thread of one device. With more threads, that many tasks run at once."""

    def __init__(self, max_queue: int = 256, threads: int = 1) -> None:
        self._max_queue = max_queue
        self._queues: dict[Priority, FairQueue[_Task[Any]]] = {each: FairQueue() for each in Priority}
        self._aside: set[_Task[Any]] = set()  # tasks that wait for a future
        self._latest: dict[str, _Task[Any]] = {}
        self._waiting: dict[Priority, Counter[str]] = {each: Counter() for each in Priority}  # pending, by user
        self._prompt_seconds: deque[float] = deque(maxlen=_REMEMBERED)  # what the last prompts took
        self._unaccounted = 0.0  # seconds spent on prompts since the last one ended
        self._passed_over = dict.fromkeys(Priority, 0.0)  # seconds of other work for which this priority waited
        self._wake = threading.Condition()
        self._closed = False
        self._turn = threading.local()  # `users`: whose time the present turn counts as
        self._threads = [threading.Thread(target=self._run, name="engine", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        priority: Priority,
        work: Callable[[], T] | Chunks[T],
        supersedes: str | None = None,
        part_of: str | None = None,
    ) -> Future[T]:
        """Queue `work`. Cancelling the future drops work that has not begun, and ends a generator at its next chunk.

        The work waits, and its time counts, as that of the `caller`; or as that of the user `part_of` if it is a part
        of work that was taken already. A newer task with the same `supersedes` ends the older one with Cancelled.
        Raises Busy when too much waits, parts are always taken.
        """
        task = _Task(priority, work, caller.get() if part_of is None else part_of)
        with self._wake:
            if self._closed:
                raise Busy(_SHUTTING_DOWN)
            if part_of is None:
                self._admit(priority, task.user)
            older = self._latest.get(supersedes) if supersedes is not None else None
            if supersedes is not None:
                self._latest[supersedes] = task
            self._waiting[priority][task.user] += 1
            self._push(task)
        task.future.add_done_callback(lambda _: self._forget(task, supersedes))
        if older is not None:
            older.finish(error=Cancelled("A newer request took the place of this one."))
        return task.future

    def waiting(self, priority: Priority) -> int:
        """Tasks of this priority that are not done."""
        return self._waiting[priority].total()

    def is_wanted(self, priority: Priority) -> bool:
        """Whether work waits that may go before more work of this priority. Any thread may ask while a turn lasts."""
        return any(self._queues[each] for each in Priority if each <= priority)

    def share(self, users: Sequence[str]) -> None:
        """Called in a turn: its time counts in equal parts as that of these users, each as often as it is named."""
        self._turn.users = users

    def close(self) -> None:
        """End what waits with Busy and stop the threads after their current chunks."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._end_waiting()
        for thread in self._threads:
            thread.join()
        self._end_waiting()  # what was in the middle of a chunk

    def _end_waiting(self) -> None:
        with self._wake:
            waiting = [*self._aside, *chain.from_iterable(self._queues.values())]
        for task in waiting:
            task.finish(error=Busy(_SHUTTING_DOWN))

    def _admit(self, priority: Priority, user: str) -> None:
        """Raises Busy if too much work of this kind waits for the user, or if a prompt would wait too long.

        Encodes and background work never keep a prompt out, and nobody's work keeps out who has less of it.
        """
        is_prompt = priority <= Priority.HOVER
        kind = [each for each in Priority if (each <= Priority.HOVER) == is_prompt]
        waiting = sum((self._waiting[each] for each in kind), Counter[str]())
        if not has_room(waiting[user], waiting.total(), len(waiting.keys() | {user}), self._max_queue):
            raise Busy("The server has too much work queued; try again in a moment.")
        if is_prompt and self._seconds_until_turn(priority, user) > _MAX_WAIT_SECONDS:
            raise Busy("Too many clicks are waiting for the model; try again in a moment.", retry_after=2)

    def _seconds_until_turn(self, priority: Priority, user: str) -> float:
        """How long a new prompt would wait: each other user goes first as often as this one has prompts waiting."""
        waiting = sum((self._waiting[each] for each in Priority if each <= priority), Counter[str]())
        own, seconds = waiting.pop(user, 0), self._prompt_seconds
        before = own + sum(min(each, own + 1) for each in waiting.values())
        if before < _ALWAYS_TAKEN or len(seconds) < _FEWEST_TIMED:
            return 0.0
        return before * sum(seconds) / len(seconds)

    def _forget(self, task: _Task[Any], supersedes: str | None) -> None:
        with self._wake:
            waiting = self._waiting[task.priority]
            waiting[task.user] -= 1
            if not waiting[task.user]:
                del waiting[task.user]
            if supersedes is not None and self._latest.get(supersedes) is task:
                del self._latest[supersedes]

    def _run(self) -> None:
        while (task := self._next()) is not None:
            self._turn.users = [task.user]
            started = time.perf_counter()
            more = task.run()
            self._account(task.priority, self._turn.users, time.perf_counter() - started, ended=not more)
            if more and task.awaited is not None:
                self._step_aside(task, task.awaited)
            elif more:
                with self._wake:
                    self._push(task)

    def _account(self, priority: Priority, users: Sequence[str], seconds: float, ended: bool) -> None:
        """Prompts are worked on in turns, some of them together: what counts is the time from end to end."""
        with self._wake:
            for user in users:
                self._queues[priority].charge(user, seconds / len(users))
            for each, queue in self._queues.items():
                waits = each != priority and bool(queue)
                self._passed_over[each] = self._passed_over[each] + seconds if waits else 0.0
            if priority > Priority.HOVER:
                return
            self._unaccounted += min(seconds, _LONGEST_TURN)
            if ended:
                self._prompt_seconds.append(self._unaccounted)
                self._unaccounted = 0.0

    def _push(self, task: _Task[Any]) -> None:
        """Put the task in the queue, behind those of its user and priority. Call it with the lock held."""
        self._queues[task.priority].push(task.user, task)
        self._wake.notify()

    def _step_aside(self, task: _Task[Any], awaited: Future[Any]) -> None:
        """Let the task wait outside the queue for the future, or for its own end."""

        def back(_: Future[Any]) -> None:
            with self._wake:
                if task in self._aside:
                    self._aside.remove(task)
                    self._push(task)

        with self._wake:
            self._aside.add(task)
        awaited.add_done_callback(back)
        task.future.add_done_callback(back)

    def _next(self) -> _Task[Any] | None:
        """The next task that nobody has cancelled; None when the engine is closed."""
        while True:
            with self._wake:
                while not any(self._queues.values()) and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return None
                task = self._pick()
            if not task.future.done():
                return task
            task.close()

    def _pick(self) -> _Task[Any]:
        """The next task of the highest priority; of the one that was passed over for longest, if that was too long."""
        waiting = [each for each in Priority if self._queues[each]]
        longest = max(waiting, key=self._passed_over.__getitem__)
        chosen = longest if self._passed_over[longest] > _MAX_PASSED_OVER else waiting[0]
        return self._queues[chosen].pop()
