"""How many threads of the CPU a piece of work uses.

Threads that wait for work sleep: `annotator/__init__.py` sets OMP_WAIT_POLICY. Measured in benchmarks/threads.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch's operators of this thread do not share their work with other threads. Also a decorator.

    A click is many small operators. Waking a second thread for each makes it 1.4 x as slow (nano, 2 cores).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
