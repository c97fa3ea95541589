"""Why images could not be encoded, until that succeeds."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from annotator.errors import AnnotatorError

_REMEMBERED = 256


class EncodingErrors:
    """A sentence for each of the last images that failed, by the image's key. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sentences: LRUCache[str, str] = LRUCache(_REMEMBERED)

    def get(self, key: str) -> str | None:
        """The sentence for an image; None if it did not fail when it was last tried."""
        with self._lock:
            return self._sentences.get(key)

    def add(self, key: str, error: Exception) -> None:
        """The image could not be encoded."""
        with self._lock:
            self._sentences[key] = str(error) if isinstance(error, AnnotatorError) else "It failed."

    def forget(self, key: str) -> None:
        """The image is encoded."""
        with self._lock:
            self._sentences.pop(key, None)

    def clear(self) -> None:
        """Forget all, as when the model changes."""
        with self._lock:
            self._sentences.clear()
