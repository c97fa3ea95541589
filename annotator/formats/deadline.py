"""How long reading one file may take."""

from __future__ import annotations

import time

from annotator.errors import InvalidRequest

MAX_SECONDS = 600.0
"""A large file takes a minute or two; one that was made to harm could take days."""


class Deadline:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._end = time.monotonic() + MAX_SECONDS

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._end

    def check(self) -> None:
        """Raises `InvalidRequest` if the time is over."""
        if self.passed:
            raise InvalidRequest("Reading the file took too long: split it.")
