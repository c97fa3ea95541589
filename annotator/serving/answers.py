"""The logits of recent answers, so that a later prompt can refine one of their candidates."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cachetools import LRUCache
from torch import Tensor

from annotator.serving.segmenter import Refinement

_CLICKS = 128
_POINTERS = 128


@dataclass(frozen=True, slots=True)
class _Remembered:
    token: str
    key: str
    logits: Tensor


class AnswerMemory:
    """The last 128 answers to clicks, and the last answer under each of 128 pointers: hovering evicts no click."""

    def __init__(self) -> None:
        self._clicks: LRUCache[str, _Remembered] = LRUCache(_CLICKS)  # by token
        self._hovers: LRUCache[str, _Remembered] = LRUCache(_POINTERS)  # by pointer
        self._lock = threading.Lock()

    def remember(self, token: str, key: str, logits: Tensor, hover: str | None) -> None:
        """Keep the logits [K, s, s] of an answer on the image of this key, on their device."""
        pool, name = (self._clicks, token) if hover is None else (self._hovers, hover)
        with self._lock:
            pool[name] = _Remembered(token, key, logits)

    def logits(self, refine: Refinement, key: str) -> Tensor | None:
        """The candidate's logits [s, s]; None if they are forgotten or belong to another image."""
        with self._lock:
            hovered = (each for each in self._hovers.values() if each.token == refine.token)
            found = self._clicks.get(refine.token) or next(hovered, None)
        if found is None or found.key != key or not 0 <= refine.index < len(found.logits):
            return None
        return found.logits[refine.index]
