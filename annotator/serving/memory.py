"""What to do when the device's memory is full: free what can be had again, try once more, then say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from annotator.errors import ModelUnavailable

T = TypeVar("T")

OUT_OF_MEMORY = (
    "The model's device has too little memory for this: use a smaller model or image, or free some of its memory."
)


class DeviceMemory:
    """Frees memory of the device by `evict`, which drops what can be computed or read again."""

    def __init__(self, evict: Callable[[], None]) -> None:
        self._evict = evict

    def free(self) -> None:
        """Drop what can be had again, and give back what the allocator holds."""
        self._evict()
        torch.cuda.empty_cache()

    def fit(self, work: Callable[[], T]) -> T:
        """The result of the work, which is tried a second time if memory is short. Raises ModelUnavailable."""
        try:
            return work()
        except torch.OutOfMemoryError:
            pass  # left behind here, the exception keeps no tensor of the failed work alive
        self.free()
        try:
            return work()
        except torch.OutOfMemoryError:
            raise ModelUnavailable(OUT_OF_MEMORY) from None
