"""One scheduler per device: clicks first, long work in chunks, bounded, cancellable.

A single worker thread owns the device. Work is either a function, run in one turn, or a generator, run one chunk per
turn, so that a click waits for one chunk at most. A generator that yields a future steps aside until that is done.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from enum import IntEnum
from typing import Any, Generic, TypeVar

from annotator.errors import Busy, Cancelled

T = TypeVar("T")
Chunks = Generator[Future[Any] | None, None, T]
"""Work in chunks. It may yield a future: it goes on when that is done."""

_MAX_WAIT_SECONDS = 3.0
"""Prompts are refused at once if the queue before them would take longer than this."""

_ALWAYS_TAKEN = 8
"""Waiting prompts that are never refused, however slow the model is."""


class Priority(IntEnum):
    """Who goes first."""

    CLICK = 0
    HOVER = 1
    ENCODE = 2
    BACKGROUND = 3


class _Task(Generic[T]):
    """Work in the queue. Its future belongs to the caller, who may cancel it at any time."""

    def __init__(self, priority: Priority, work: Callable[[], T] | Chunks[T]) -> None:
        self.priority = priority
        self.future: Future[T] = Future()
        self.awaited: Future[Any] | None = None
        self._work = work

    def run(self) -> bool:
        """Run the function, or the generator's next chunk. True if there is more to do, once `awaited` is done."""
        try:
            if isinstance(self._work, Generator):
                self.awaited = next(self._work)
                return True
            self.finish(result=self._work())
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
        self._heap: list[tuple[int, int, _Task[Any]]] = []
        self._order = itertools.count()
        self._aside: set[_Task[Any]] = set()  # tasks that wait for a future
        self._latest: dict[str, _Task[Any]] = {}
        self._waiting = dict.fromkeys(Priority, 0)  # tasks whose future is pending
        self._prompt_seconds = 0.0  # a moving average of what one prompt takes
        self._unaccounted = 0.0  # seconds spent on prompts since the last one ended
        self._wake = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._run, name="engine", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        priority: Priority,
        work: Callable[[], T] | Chunks[T],
        supersedes: str | None = None,
    ) -> Future[T]:
        """Queue `work`. Cancelling the future drops work that has not begun, and ends a generator at its next chunk.

        A newer task with the same `supersedes` ends the older one with Cancelled. Raises Busy when too much waits.
        """
        task = _Task(priority, work)
        with self._wake:
            if self._closed:
                raise Busy("The server is shutting down.")
            self._admit(priority)
            older = self._latest.get(supersedes) if supersedes is not None else None
            if supersedes is not None:
                self._latest[supersedes] = task
            self._waiting[priority] += 1
            self._push(task)
        task.future.add_done_callback(lambda _: self._forget(task, supersedes))
        if older is not None:
            older.finish(error=Cancelled("A newer request took the place of this one."))
        return task.future

    def close(self) -> None:
        """Cancel what waits and stop the threads after their current chunks."""
        with self._wake:
            self._closed = True
            waiting = [*self._aside, *(task for _, _, task in self._heap)]
            self._wake.notify_all()
        for task in waiting:
            task.finish(error=Cancelled("The server is shutting down."))
        for thread in self._threads:
            thread.join()

    def _admit(self, priority: Priority) -> None:
        """Raises Busy if as much work of this kind waits as may, or if a prompt would wait too long.

        Encodes and background work never keep a prompt out.
        """
        is_prompt = priority <= Priority.HOVER
        kind = [each for each in Priority if (each <= Priority.HOVER) == is_prompt]
        if sum(self._waiting[each] for each in kind) >= self._max_queue:
            raise Busy("The server has too much work queued; try again in a moment.")
        before = sum(self._waiting[each] for each in Priority if each <= priority)
        if is_prompt and before >= _ALWAYS_TAKEN and before * self._prompt_seconds > _MAX_WAIT_SECONDS:
            raise Busy("Too many clicks are waiting for the model; try again in a moment.", retry_after=2)

    def _forget(self, task: _Task[Any], supersedes: str | None) -> None:
        with self._wake:
            self._waiting[task.priority] -= 1
            if supersedes is not None and self._latest.get(supersedes) is task:
                del self._latest[supersedes]

    def _run(self) -> None:
        while (task := self._next()) is not None:
            started = time.perf_counter()
            more = task.run()
            if task.priority <= Priority.HOVER:
                self._account(time.perf_counter() - started, ended=not more)
            if more and task.awaited is not None:
                self._step_aside(task, task.awaited)
            elif more:
                with self._wake:
                    self._push(task)

    def _account(self, seconds: float, ended: bool) -> None:
        """Prompts are worked on in turns, some of them together: what counts is the time from end to end."""
        self._unaccounted += seconds
        if ended:
            took, self._unaccounted = self._unaccounted, 0.0
            self._prompt_seconds += (took - self._prompt_seconds) / 32 if self._prompt_seconds else took

    def _push(self, task: _Task[Any]) -> None:
        """Put the task in the queue, behind those of its priority. Call it with the lock held."""
        heapq.heappush(self._heap, (task.priority, next(self._order), task))
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
                while not self._heap and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return None
                _, _, task = heapq.heappop(self._heap)
            if not task.future.done():
                return task
            task.close()
