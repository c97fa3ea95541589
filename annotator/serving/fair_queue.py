"""Waiting work of many users, shared out fairly by the time that it takes: start-time fair queueing (Goyal, 1996)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_SLACK_SECONDS = 0.05
"""Whose shares differ by less are served as they come, so that what fits together is decoded together."""


def has_room(own: int, total: int, users: int, most: int) -> bool:
    """Whether a user with `own` of the `total` places may take one more of about `most`.

    Among `users` users, this one included, whoever has less than an equal share always may.
    """
    return total < most or own < most // max(users, 1)


class FairQueue(Generic[T]):
    """Each user's work stays in its order. The user who has had the least time goes first.

    Who comes newly starts with as much time as whoever was served last, so nobody saves time up. Not for use by several
    threads at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[int, T]]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._now = 0.0  # the time that whoever was served last had had
        self._count = 0

    def push(self, user: str, item: T) -> None:
        """Put the item behind those of the same user."""
        if user not in self._waiting:
            self._waiting[user] = deque()
            self._seconds[user] = max(self._seconds[user], self._now)
        self._count += 1
        self._waiting[user].append((self._count, item))

    def pop(self) -> T:
        """The first item of the user whose turn it is. Raises ValueError if nothing waits."""
        least = min(self._seconds[each] for each in self._waiting)
        equal = [each for each in self._waiting if self._seconds[each] < least + _SLACK_SECONDS]
        user = min(equal, key=lambda each: self._waiting[each][0][0])
        self._now = max(self._now, self._seconds[user])
        _, item = self._waiting[user].popleft()
        if not self._waiting[user]:
            del self._waiting[user]
        return item

    def charge(self, user: str, seconds: float) -> None:
        """Count time that was spent for a user."""
        self._seconds[user] += seconds
        if not self._waiting:  # nothing to share out, so all begin anew
            self._seconds.clear()
            self._now = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return (item for waiting in self._waiting.values() for _, item in waiting)
