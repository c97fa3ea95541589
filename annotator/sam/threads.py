"""How many threads of the CPU a piece of work uses.

Threads that wait for work sleep: `annotator/__init__.py` sets OMP_WAIT_POLICY. By default they spin, which is fast on a
quiet machine only. p50 of nano on 2 cores, quiet and beside one busy process, by benchmarks/threads.py:

    click            12.9 and 13.1 ms    OpenMP's own: 12.2 and 26.1
    automatic masks  450 and 713 ms      OpenMP's own: 354 and 1000
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch's operators of this thread do not share their work with other threads. Also a decorator.

    A click is many small operators, and waking a second thread for each makes it 1.4 x as slow (18.1 ms).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def never() -> bool:
    """Nothing more urgent waits."""
    return False


def in_parallel(work: Callable[[T], R], parts: Sequence[T], pause: Callable[[], bool] = never) -> list[R]:
    """The results of `work` on each part, in order: as many parts at once as torch may use threads, on one thread each.

    Parts that need nothing of each other keep all cores busy. Operators that share their work wait for the slowest
    thread after each of them. `pause` is asked before each part but those that the threads begin with: once it is true,
    no further part begins, and the results are those of the first parts only. Threads last as long as the call, so none
    is lost in a process that forks.
    """
    threads = max(1, min(torch.get_num_threads(), len(parts)))
    results: dict[int, R] = {}
    ahead = iter(range(len(parts)))
    lock, stopped = Lock(), Event()

    def take() -> int | None:
        with lock:
            index = next(ahead, None)
            if index is None or stopped.is_set() or (index >= threads and pause()):
                stopped.set()
                return None
            return index

    def run(_: int) -> None:
        try:
            while (index := take()) is not None:
                results[index] = work(parts[index])
        except BaseException:
            stopped.set()
            raise

    with one_thread():  # what a thread sets becomes the number of those that start later, so this one sets it back
        if threads == 1:
            run(0)
        else:
            with ThreadPoolExecutor(threads, "part", torch.set_num_threads, (1,)) as pool:
                list(pool.map(run, range(threads)))
    return [results[index] for index in sorted(results)]
