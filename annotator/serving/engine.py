"""One scheduler per device: clicks first, long work in chunks, bounded, cancellable.

A single worker thread owns the device. Work is either a function, run in one turn, or a generator, run one chunk per
turn, so that a click waits for one chunk at most.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from enum import IntEnum
from typing import Any, Generic, TypeVar

from annotator.errors import Busy, Cancelled

log = logging.getLogger(__name__)

T = TypeVar("T")


class Priority(IntEnum):
    """Who goes first."""

    CLICK = 0
    HOVER = 1
    ENCODE = 2
    BACKGROUND = 3


class Task(Generic[T]):
    """Work in the queue. `result()` waits for it; `cancel()` ends it before its next chunk."""

    def __init__(self, priority: Priority, work: Callable[[], T] | Generator[Any, None, T]) -> None:
        self.priority = priority
        self.queued_at = time.perf_counter()
        self.queue_ms: float | None = None
        self._work = work
        self._future: Future[T] = Future()

    def result(self, timeout: float | None = None) -> T:
        """The work's result, or its exception; Cancelled if it was cancelled or superseded."""
        return self._future.result(timeout)

    def cancel(self) -> None:
        """Give up: waiting callers get Cancelled at once; a running chunk is finished and dropped."""
        self._finish(error=Cancelled("The work was cancelled."))

    @property
    def done(self) -> bool:
        """Finished, failed or cancelled."""
        return self._future.done()

    def turn(self) -> bool:
        """Run the function, or the generator's next chunk. True if there is more to do."""
        if self.queue_ms is None:
            self.queue_ms = (time.perf_counter() - self.queued_at) * 1e3
        try:
            if isinstance(self._work, Generator):
                next(self._work)
                return True
            self._finish(result=self._work())
        except StopIteration as stop:
            self._finish(result=stop.value)
        except Exception as error:
            self._finish(error=error)
        return False

    def close(self) -> None:
        """Let a generator that will not be resumed release what it holds."""
        if isinstance(self._work, Generator):
            self._work.close()

    def _finish(self, result: T | None = None, error: Exception | None = None) -> None:
        try:
            if error is not None:
                self._future.set_exception(error)
            else:
                self._future.set_result(result)  # type: ignore[arg-type]
        except InvalidStateError:  # cancelled while it ran: the first word stands
            pass


class Engine:
    """The queue and the thread of one device."""

    def __init__(self, max_queue: int = 256) -> None:
        self._max_queue = max_queue
        self._heap: list[tuple[int, int, Task[Any]]] = []
        self._order = itertools.count()
        self._latest: dict[str, Task[Any]] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(
        self,
        priority: Priority,
        work: Callable[[], T] | Generator[Any, None, T],
        supersedes: str | None = None,
    ) -> Task[T]:
        """Queue `work`. A newer task with the same `supersedes` cancels the older one. Raises Busy when full."""
        task = Task(priority, work)
        with self._wake:
            if self._closed:
                raise Busy("The server is shutting down.")
            if len(self._heap) >= self._max_queue:
                raise Busy("The server has too much work queued; try again in a moment.")
            if supersedes is not None:
                if (older := self._latest.get(supersedes)) is not None:
                    older.cancel()
                self._latest[supersedes] = task
            heapq.heappush(self._heap, (priority, next(self._order), task))
            self._wake.notify()
        return task

    def close(self) -> None:
        """Cancel what waits and stop the thread after the chunk in hand."""
        with self._wake:
            self._closed = True
            for _, _, task in self._heap:
                task.cancel()
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._heap and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                _, _, task = heapq.heappop(self._heap)
            if not task.done and task.turn() and not task.done:
                with self._wake:
                    heapq.heappush(self._heap, (task.priority, next(self._order), task))
                continue
            task.close()
            with self._wake:
                for name in [name for name, latest in self._latest.items() if latest is task]:
                    del self._latest[name]
