"""How many images, and how many bytes of them, the projects of one user may hold. Admins may hold any number."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachetools import LRUCache, TTLCache

from annotator.errors import QuotaExceeded
from annotator.settings import Settings
from annotator.storage.files import ImageFiles
from annotator.storage.store import Store

_FRESH_SECONDS = 60.0
_USERS = 1000
_FILES = 200_000
_REST = 5
"""After counting for a second, refusals of a user are for five seconds without counting again."""

_COUNT_SECONDS = 60.0
_GIB = 1 << 30
_HELP = "remove some and empty the bin, or ask an admin for more room"


@dataclass(slots=True)
class _Usage:
    """Images and their bytes. Nobody counts them again before `fresh_until`; `is_free` says that any number is fine."""

    images: int = 0
    size: int = 0
    is_free: bool = False
    fresh_until: float = 0.0


class Quotas:
    """Counts what users keep, with what is in the bin. A file that is in several images counts once.

    Where there is no login, and for guests of an app, there is no quota.
    """

    def __init__(self, settings: Settings, store: Store, files: ImageFiles) -> None:
        self._images, self._size = settings.max_user_images, int(settings.max_user_bytes)
        self._store, self._files = store, files
        self._usage: TTLCache[str, _Usage] = TTLCache(_USERS, _FRESH_SECONDS)
        self._reserved: defaultdict[str, _Usage] = defaultdict(_Usage)
        self._counting: dict[str, _Usage] = {}  # with what was added since the counting began
        self._sizes: LRUCache[str, int] = LRUCache(_FILES)
        self._changed = threading.Condition()

    @contextmanager
    def place(self, owner: str, size: int) -> Iterator[Callable[[], None]]:
        """A place for an image of `size` bytes, kept while it is added; an error in the block frees it.

        What the block is given frees it too: nothing was added.
        Raises QuotaExceeded if that is too much for the projects of `owner`.
        """
        was_counted = False
        while not self._reserve(owner, size, was_counted):
            was_counted = self._count(owner)
        is_used = True

        def free() -> None:
            nonlocal is_used
            is_used = False

        try:
            yield free
        except BaseException:
            with self._changed:
                self._release(owner, size)
            raise
        with self._changed:
            self._release(owner, size)
            for usage in (self._usage.get(owner), self._counting.get(owner)):
                if usage is not None and is_used:
                    usage.images += 1
                    usage.size += size

    def _reserve(self, owner: str, size: int, was_counted: bool) -> bool:
        """Whether a place was taken; if not, the images have to be counted first. Raises QuotaExceeded."""
        with self._changed:
            usage = self._usage.get(owner)
            if usage is None:
                return False
            if not usage.is_free and (excess := self._excess(owner, usage, size)):
                if was_counted or time.monotonic() < usage.fresh_until:
                    raise QuotaExceeded(f"{excess}: {_HELP}.")
                return False  # something may have been removed meanwhile
            self._reserved[owner].images += 1
            self._reserved[owner].size += size
            return True

    def _release(self, owner: str, size: int) -> None:
        reserved = self._reserved[owner]
        reserved.images -= 1
        reserved.size -= size
        if not reserved.images:
            del self._reserved[owner]

    def _excess(self, owner: str, usage: _Usage, size: int) -> str:
        reserved = self._reserved.get(owner, _Usage())
        images, size = usage.images + reserved.images, usage.size + reserved.size + size
        if images >= self._images:
            return f"The projects of {owner} hold {images} images, and may hold {self._images}"
        if size > self._size:
            return f"The images of {owner} would take {size / _GIB:.3g} GiB, and may take {self._size / _GIB:.3g} GiB"
        return ""

    def _count(self, owner: str) -> bool:
        """Count what the user keeps, or wait for who does so already; whether there may be a result."""
        with self._changed:
            if owner in self._counting:
                return self._changed.wait_for(lambda: owner not in self._counting, _COUNT_SECONDS)
            self._counting[owner] = _Usage()
        begin, usage = time.monotonic(), None
        try:
            usage = self._counted(owner)
        finally:
            with self._changed:
                since = self._counting.pop(owner)
                if usage is not None:
                    usage.images, usage.size = usage.images + since.images, usage.size + since.size
                    usage.fresh_until = time.monotonic() + _REST * (time.monotonic() - begin)
                    self._usage[owner] = usage
                self._changed.notify_all()
        return True

    def _counted(self, owner: str) -> _Usage:
        account = self._store.user(owner)
        if account is None or account.is_admin:
            return _Usage(is_free=True)
        keys = self._store.content_of(owner)
        with self._changed:
            sizes = {key: size for key in set(keys) if (size := self._sizes.get(key)) is not None}
        unknown = self._files.sizes(set(keys) - sizes.keys())
        with self._changed:
            self._sizes.update(unknown)
        return _Usage(len(keys), sum(sizes.values()) + sum(unknown.values()))
