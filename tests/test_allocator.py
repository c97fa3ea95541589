"""Freed memory goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import psutil
from annotator.web.allocator import give_memory_back
give_memory_back()
bytearray(4 << 20)  # freed at once, after which glibc by itself would map no such block again
before = psutil.Process().memory_info().rss
kept = []
blocks = []
for _ in range(100):
    blocks.append(bytearray(b"a") * (2 << 20))
    kept.append(bytearray(b"a") * 60_000)  # lies behind the block, if both are on the heap
del blocks[50:]
del blocks
print((psutil.Process().memory_info().rss - before) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_large_blocks_are_given_back_though_small_ones_stay() -> None:
    grown = int(subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout)
    assert grown < 30
