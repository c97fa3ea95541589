"""Peak memory of one call beyond what was held before: device memory on CUDA, else resident memory of the process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory(device: torch.device, work: Callable[[], T]) -> tuple[T, float | None]:
    """The result of `work()` and its peak in MiB; None where neither CUDA nor Linux counts it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        result = work()
        torch.cuda.synchronize(device)
        return result, (torch.cuda.max_memory_allocated(device) - held) / 2**20
    if not _RESET.exists():
        return work(), None
    ctypes.CDLL(None).malloc_trim(0)  # what was freed but kept for reuse would hide what is used
    _RESET.write_text("5")  # sets the peak to what is resident now: proc(5)
    resident = _status_mib("VmRSS")
    result = work()
    return result, _status_mib("VmHWM") - resident


def _status_mib(name: str) -> float:
    line = next(each for each in _STATUS.read_text().splitlines() if each.startswith(name + ":"))
    return int(line.split()[1]) / 1024
