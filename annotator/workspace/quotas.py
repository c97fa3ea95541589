"""How many images, and how many bytes of them, the projects of one user may hold. Admins may hold any number."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cachetools import LRUCache, TTLCache

from annotator.errors import QuotaExceeded
from annotator.settings import Settings
from annotator.storage.files import ImageFiles
from annotator.storage.store import Store

_FRESH_SECONDS = 60.0
_USERS = 1000
_FILES = 200_000
_GIB = 1 << 30
_HELP = "remove some and empty the bin, or ask an admin for more room"


@dataclass(slots=True)
class _Usage:
    images: int
    size: int


class Quotas:
    """Counts what users keep, with what is in the bin. A file that is in several images counts once.

    Where there is no login, and for guests of an app, there is no quota.
    """

    def __init__(self, settings: Settings, store: Store, files: ImageFiles) -> None:
        self._images, self._size = settings.max_user_images, int(settings.max_user_bytes)
        self._store, self._files = store, files
        self._usage: TTLCache[str, _Usage | None] = TTLCache(_USERS, _FRESH_SECONDS)
        self._sizes: LRUCache[str, int] = LRUCache(_FILES)
        self._lock = threading.Lock()

    def check(self, owner: str, size: int) -> None:
        """Raises QuotaExceeded if a file of `size` bytes is too much for the projects of `owner`."""
        with self._lock:
            if self._excess(owner, size):
                self._usage.pop(owner, None)  # something may have been removed meanwhile
                if excess := self._excess(owner, size):
                    raise QuotaExceeded(f"{excess}: {_HELP}.")

    def added(self, owner: str, size: int) -> None:
        """Count an image that was added."""
        with self._lock:
            if (usage := self._usage.get(owner)) is not None:
                usage.images += 1
                usage.size += size

    def _excess(self, owner: str, size: int) -> str:
        usage = self._of(owner)
        if usage is None:
            return ""
        if usage.images >= self._images:
            return f"The projects of {owner} hold {usage.images} images, and may hold {self._images}"
        if usage.size + size > self._size:
            would, may = (usage.size + size) / _GIB, self._size / _GIB
            return f"The images of {owner} would take {would:.3g} GiB, and may take {may:.3g} GiB"
        return ""

    def _of(self, owner: str) -> _Usage | None:
        """What the projects of the user hold; None if any number is allowed."""
        if owner not in self._usage:
            account = self._store.user(owner)
            is_free = account is None or account.is_admin
            self._usage[owner] = None if is_free else self._counted(owner)
        return self._usage[owner]

    def _counted(self, owner: str) -> _Usage:
        keys = self._store.content_of(owner)
        distinct = set(keys)
        for key in distinct - self._sizes.keys():
            self._sizes[key] = self._files.size(key)
        return _Usage(len(keys), sum(self._sizes.get(key, 0) for key in distinct))
