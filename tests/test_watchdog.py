"""A process that hangs is killed, one that works is left alone, and the watchdog ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

WATCHED = """
import sys
from annotator.serving.watchdog import Watchdog
dog = Watchdog(3.0)
print("watched", flush=True)
for line in sys.stdin:
    dog.close()
"""


@pytest.fixture
def watched() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a watchdog; a line that it reads ends the watchdog."""
    with subprocess.Popen([sys.executable, "-c", WATCHED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"watched\n"
        yield process
        process.kill()


def dog_of(watched: subprocess.Popen[bytes]) -> psutil.Process:
    (dog,) = psutil.Process(watched.pid).children()
    return dog


def test_a_process_that_hangs_is_killed(watched: subprocess.Popen[bytes]) -> None:
    dog = dog_of(watched)
    watched.send_signal(signal.SIGSTOP)
    assert watched.wait(20) == -signal.SIGKILL
    dog.wait(20)


def test_a_process_that_works_goes_on(watched: subprocess.Popen[bytes]) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        watched.wait(6)


def test_a_watchdog_ends_when_it_is_closed(watched: subprocess.Popen[bytes]) -> None:
    dog = dog_of(watched)
    assert watched.stdin is not None
    watched.stdin.write(b"close\n")
    watched.stdin.flush()
    dog.wait(20)
    assert watched.poll() is None


def test_a_watchdog_ends_with_its_process(watched: subprocess.Popen[bytes]) -> None:
    dog = dog_of(watched)
    watched.kill()
    dog.wait(20)
