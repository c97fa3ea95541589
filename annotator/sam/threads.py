"""How many threads of the CPU a piece of work uses.

Threads that wait for work sleep: `annotator/__init__.py` sets OMP_WAIT_POLICY. By default they spin, which is fast on a
quiet machine only. p50 of nano on 2 cores, quiet and beside one busy process, by benchmarks/threads.py:

    click            12.9 and 13.1 ms    OpenMP's own: 12.2 and 26.1
    automatic masks  450 and 713 ms      OpenMP's own: 354 and 1000
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
