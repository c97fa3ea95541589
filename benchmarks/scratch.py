"""A folder for databases of `benchmarks.fuzz`."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path


def folder() -> Path:
    """In memory where there is such a folder, for the disk is not what is tested.

    It belongs to the process that started this one: that one removes it, for a worker of `fuzz` may be killed.
    """
    memory = Path("/dev/shm")
    parent = multiprocessing.parent_process()
    owner = os.getpid() if parent is None else parent.pid
    return (memory if memory.is_dir() else Path(tempfile.gettempdir())) / f"annotator-fuzz-{owner}"


atexit.register(shutil.rmtree, folder(), ignore_errors=True)
