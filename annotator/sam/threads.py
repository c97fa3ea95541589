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


def in_parallel(work: Callable[[T], R], parts: Sequence[T]) -> list[R]:
    """The results of `work` on each part, in order: as many parts at once as torch may use threads, on one thread each.

    Parts that need nothing of each other keep all cores busy. Operators that share their work wait for the slowest
    thread after each of them. Threads last as long as the call, so none is lost in a process that forks.
    """
    threads = min(torch.get_num_threads(), len(parts))
    with one_thread():  # what a thread sets becomes the number of those that start later, so this one sets it back
        if threads < 2:
            return [work(each) for each in parts]
        with ThreadPoolExecutor(threads, "part", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, parts))
