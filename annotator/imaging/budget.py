"""How much memory large work, such as decoding, may take at a time in this process, and how it is given back."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from annotator.errors import Busy


class MemoryBudget:
    """Lets work run while their memory together stays within `limit` bytes; the others wait in line.

    First come, first served, so that small images do not starve a large one. An image that needs more than the whole
    limit runs alone. Who has waited `wait_s` seconds, or finds `max_waiting` others in line, gets `Busy`.
    """

    def __init__(self, limit: int, wait_s: float = 10.0, max_waiting: int = 8) -> None:
        self.limit, self.wait_s, self.max_waiting = limit, wait_s, max_waiting
        self._used = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Bytes that running decodes have taken."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._line)

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Take `size` bytes for the length of a `with` block. Raises Busy."""
        size = min(size, self.limit)
        self._take(size)
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()

    def _take(self, size: int) -> None:
        ticket = object()
        with self._changed:
            if len(self._line) >= self.max_waiting:
                raise _busy()
            self._line.append(ticket)
            ready = self._changed.wait_for(
                lambda: self._line[0] is ticket and self._used + size <= self.limit, self.wait_s
            )
            self._line.remove(ticket)
            self._changed.notify_all()
            if not ready:
                raise _busy()
            self._used += size


def _busy() -> Busy:
    return Busy("The server is reading other large files just now; try again in a moment.", retry_after=5)


def return_free_memory() -> None:
    """Hand freed memory back to the system. Without it, glibc keeps what Pillow freed for good.

    Pillow allocates blocks of 16 MiB, which glibc takes from heaps of threads that rarely shrink by themselves.
    """
    with suppress(OSError, AttributeError):  # not glibc: nothing to do
        ctypes.CDLL(None).malloc_trim(0)
