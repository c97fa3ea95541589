"""Freed memory goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import time
import psutil
from annotator.web import allocator
allocator._SECONDS = 0.1
process = psutil.Process()
kept, blocks = [], []
for _ in range(100):
    blocks.append(bytearray(b"a") * 100_000)  # on the heap
    kept.append(bytearray(b"a") * 1000)  # lies behind the block
before = process.memory_info().rss
del blocks
allocator.give_memory_back()
while process.memory_info().rss > before - (8 << 20):
    time.sleep(0.1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_freed_blocks_are_given_back_though_others_stay() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=60)
