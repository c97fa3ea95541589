"""Files of images in an object store, with those used last in a folder of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from annotator.errors import FileUnavailable, NotFound, StorageFull
from annotator.storage.local_files import LocalFiles
from annotator.storage.object_files import ObjectFiles

CACHE_BYTES = 8 << 30
_PARTS = 16


class CachedFiles:
    """What `store` has, through a cache in the folder `root` of about `budget` bytes, oldest use deleted first.

    Files never change, so those in the cache are never out of date. Several processes may share the folder. A disk that
    is full or fails is no error: then files come from the store. Raises as `ObjectFiles` does.
    """

    def __init__(
        self, root: Path, store: ObjectFiles, check: Callable[[str, bytes], object], budget: int = CACHE_BYTES
    ) -> None:
        """`check` is called with the name and the bytes of what the store gave, and raises if that is damaged."""
        self._root, self._cache, self._store = root, LocalFiles(root), store
        self._check, self._budget = check, budget
        self._lock = threading.Lock()
        self._written = budget  # since the last look at the whole folder; the first file brings one

    def has(self, name: str) -> bool:
        """Whether the store has the file."""
        return self._store.has(name)

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises `NotFound` if it is neither in the cache nor in the store."""
        with suppress(NotFound, FileUnavailable):
            data = self._cache.read(name)
            with suppress(OSError):
                os.utime(self._root / name)
            return data
        data = self._store.read(name)
        self._check(name, data)
        self._keep(name, data)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Returns when the store has the file."""
        self._store.write(name, data)
        self._keep(name, data)

    def sizes(self, names: Collection[str]) -> dict[str, int]:
        """The bytes of those files that are there."""
        found = self._cache.sizes(names)
        return found | self._store.sizes([name for name in names if name not in found])

    def names(self) -> Iterator[str]:
        """All files of the store, and those of the cache: others may have removed these from the store."""
        yield from {*self._cache.names(), *self._store.names()}

    def remove(self, names: Collection[str]) -> None:
        """Delete these files; absent ones are fine."""
        self._store.remove(names)
        self._cache.remove(names)

    def remove_abandoned(self) -> None:
        """Delete files of the cache whose writing a crash cut short."""
        self._cache.remove_abandoned()

    def _keep(self, name: str, data: bytes) -> None:
        with suppress(StorageFull, FileUnavailable):
            self._cache.write(name, data)
        with self._lock:
            self._written += len(data)
            if self._written < self._budget // _PARTS:
                return
            self._written = 0
        self._evict()

    def _evict(self) -> None:
        """Delete files until another part of the budget fits."""
        self._cache.remove_abandoned()
        found = []
        for path in self._cache.paths():
            with suppress(FileNotFoundError):  # deleted by another process since
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        excess = sum(size for _, size, _ in found) - (self._budget - self._budget // _PARTS)
        for _, size, path in sorted(found):
            if excess <= 0:
                return
            with suppress(OSError):
                path.unlink(missing_ok=True)
                excess -= size
