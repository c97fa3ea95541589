"""A growing delay after failed logins, so that passwords cannot be guessed by trying."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from cachetools import TTLCache

from annotator.errors import TooManyLogins

_FREE = {"name": 5, "address": 20}
"""Failures without a delay. People of one office may share an address."""

_MAX_DELAY = 60.0
_FORGET_SECONDS = 900.0
_MOST = 10_000


class Throttle:
    """Counts failures for each name and from each address for 15 minutes; not for use by several threads at once.

    The delay is one second after the first failures, doubles with every further one, and is a minute at most.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: TTLCache[tuple[str, str], tuple[int, float]] = TTLCache(_MOST, _FORGET_SECONDS, clock)

    def check(self, name: str, address: str) -> None:
        """Raises TooManyLogins while the name or the address has to wait."""
        until = max(self._failures.get(key, (0, -math.inf))[1] for key in _keys(name, address))
        if (left := until - self._clock()) > 0:
            raise TooManyLogins(math.ceil(left))

    def failed(self, name: str, address: str) -> None:
        """Count a failure."""
        for key in _keys(name, address):
            count = self._failures.get(key, (0, 0.0))[0] + 1
            extra = count - _FREE[key[0]]
            delay = min(_MAX_DELAY, 2.0**extra) if extra >= 0 else 0.0
            self._failures[key] = (count, self._clock() + delay)

    def succeeded(self, name: str) -> None:
        """Forget the failures for the name. Those from the address stay: whoever guesses may have a name as well."""
        self._failures.pop(("name", name), None)


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("name", name), ("address", address)
