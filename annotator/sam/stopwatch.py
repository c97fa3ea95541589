"""Time on a device's own clock, so that measuring the stages of a click does not wait for each of them."""

from __future__ import annotations

import time
from itertools import pairwise

import torch


class Stopwatch:
    """Started when made; `lap` ends a stage."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._cuda = device, device.type == "cuda"
        self._moments: list[float] = []
        self._events: list[torch.cuda.Event] = []
        self.lap()

    def lap(self) -> None:
        """A stage ends with the work that was submitted until now."""
        if not self._cuda:
            self._moments.append(time.perf_counter() * 1e3)
            return
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        self._events.append(event)

    def laps(self) -> list[float]:
        """Milliseconds of each stage. On a GPU, it waits for the last one to end."""
        if self._cuda:
            self._events[-1].synchronize()
            return [start.elapsed_time(stop) for start, stop in pairwise(self._events)]
        return [stop - start for start, stop in pairwise(self._moments)]
