"""Where and on what a benchmark ran. Whatever cannot be found out is said to be unknown; nothing here fails."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

UNKNOWN = "unknown"
_PACKAGES = ("torch", "triton", "torchao", "sam2", "numpy", "opencv-python-headless")


def versions() -> dict[str, str]:
    """Of the packages whose version may change a figure."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = UNKNOWN
    return found


def describe(device: torch.device) -> dict[str, Any]:
    """Processor, cores, instruction set, memory, GPU and Python."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor or UNKNOWN,
        "cores": os.cpu_count(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "python": platform.python_version(),
    }


def short_name(device: torch.device) -> str:
    """`cpu`, or a GPU's own word, such as `h100` of "NVIDIA H100 80GB HBM3"."""
    if device.type == "cpu":
        return "cpu"
    words = torch.cuda.get_device_name(device).lower().split()
    return next((word for word in words if any(each.isdigit() for each in word)), words[-1])


def commit() -> str:
    """Of the checkout; a mark behind it says that files differ. BENCHMARK_COMMIT says it where there is no git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        run = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return run.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("BENCHMARK_COMMIT", UNKNOWN)
