"""Pixels for the encoder, read in threads of their own: the device's thread waits for no file and no decode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from annotator.errors import AnnotatorError
from annotator.imaging.budget import MemoryBudget
from annotator.serving.engine import Engine, Priority
from annotator.serving.segmenter import ImageSource
from annotator.types import UInt8Array

_THREADS = 2
"""A click's image is read beside a large one that is being read already."""

_MEMORY = 512 << 20
"""Bytes of pixels that are being read or wait for the encoder. The largest image takes 384 MB."""


class _Reading:
    """One image's pixels, on their way or waiting for the encoder. Whoever comes last gives their memory back."""

    def __init__(self) -> None:
        self.pixels: Future[UInt8Array] = Future()
        self.users = 0
        self.is_running = False
        self.memory = ExitStack()


class PixelReader:
    """Reads the images that are asked for, the most urgent first. All who ask for one at the same time share it."""

    def __init__(self, max_queue: int) -> None:
        self._engine = Engine(max_queue, threads=_THREADS)
        self._budget = MemoryBudget(_MEMORY)
        self._readings: dict[str, _Reading] = {}
        self._lock = threading.Lock()

    @contextmanager
    def read(self, image: ImageSource, priority: Priority) -> Iterator[Future[UInt8Array]]:
        """The pixels to come, uint8 [height, width, 3], for the length of a `with` block. Raises Busy.

        Leaving the block early takes the request back. The future ends with Busy or another AnnotatorError if the
        image cannot be read.
        """
        with self._lock:
            reading = self._readings.setdefault(image.key, _Reading())
            reading.users += 1
        with ExitStack() as stack:
            stack.callback(self._leave, image.key, reading)
            # A ticket each: the most urgent of those who share the image says when it is read.
            ticket = self._engine.submit(priority, partial(self._read, image, reading))
            stack.callback(ticket.cancel)
            yield reading.pixels

    def close(self) -> None:
        """Cancel what waits, and stop the threads."""
        self._engine.close()

    def _read(self, image: ImageSource, reading: _Reading) -> None:
        with self._lock:
            if reading.is_running or reading.pixels.done():
                return
            reading.is_running = True
        try:
            reading.memory.enter_context(self._budget.hold(3 * image.height * image.width))
            reading.pixels.set_result(np.ascontiguousarray(image.load()))
        except OSError as error:
            reading.pixels.set_exception(AnnotatorError(f"The stored image cannot be read ({error.strerror})."))
        except Exception as error:
            reading.pixels.set_exception(error)
        finally:
            with self._lock:
                reading.is_running = False
                unused = not reading.users
            if unused:
                reading.memory.close()

    def _leave(self, key: str, reading: _Reading) -> None:
        with self._lock:
            reading.users -= 1
            unused = not reading.users
            if unused:
                del self._readings[key]
            running = reading.is_running
        if unused and not running:
            reading.memory.close()
