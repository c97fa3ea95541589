"""Which encodes wait for images that people open: the last few of each user and group, and the next ones."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from annotator.serving.engine import Priority
from annotator.serving.segmenter import ImageSource, caller

_OPENED = 4
"""Images opened by one group that may wait for their encode at the same time."""


class Openings:
    """Cancels the encodes that nobody waits for any more. Its method may be called from any thread."""

    def __init__(self, encode: Callable[[Priority, ImageSource], Future[None]]) -> None:
        """`encode` queues the encode of an image. Raises Busy."""
        self._encode = encode
        self._lock = threading.Lock()
        self._opened: defaultdict[tuple[str, str], deque[Future[None]]] = defaultdict(lambda: deque(maxlen=_OPENED))
        self._upcoming: defaultdict[tuple[str, str], list[Future[None]]] = defaultdict(list)

    def open(self, image: ImageSource, upcoming: Sequence[ImageSource], group: str) -> None:
        """Encode `image`, then the `upcoming` ones; see `Segmenter.encode`. Raises Busy."""
        with self._lock:
            mine = (caller.get(), group)  # opening an image takes no place of somebody else's in the same project
            opened, prefetched = self._opened[mine], self._upcoming[mine]
            if len(opened) == opened.maxlen:
                opened[0].cancel()
            while prefetched:
                prefetched.pop().cancel()
            opened.append(self._encode(Priority.ENCODE, image))
            prefetched.extend(self._encode(Priority.BACKGROUND, each) for each in upcoming)
