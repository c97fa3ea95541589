"""A second process that ends this one when it hangs.

Ray 2.60 asks a process to end by a call that this process itself has to take. One that does not run at all, stopped or
stuck in a driver, never takes it, and its GPU stays reserved: no other replica can start in its place.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

_SIGN_SECONDS = 1.0
"""Time between two signs of life."""


class Watchdog:
    """Sends signs of life to a process that kills this one when there were none for `patience` seconds.

    They come from a thread, so a process whose event loop is busy is not taken for one that hangs.
    """

    def __init__(self, patience: float) -> None:
        command = [sys.executable, __file__, str(os.getpid()), str(patience)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)
        self._closed = threading.Event()
        threading.Thread(target=self._send, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def _send(self) -> None:
        assert self._process.stdin is not None
        with self._process, self._process.stdin as pipe:  # its end tells the other process to end too
            while not self._closed.wait(_SIGN_SECONDS):
                try:
                    pipe.write(b".")
                except BrokenPipeError:
                    return


def watch(process: int, patience: float) -> None:
    """Read signs of life of the parent `process` until it ends, or kill it when they stay away."""
    silent = 0
    while silent < 2:  # once may also be the first look after both processes were frozen
        if not select.select([0], [], [], patience / 2)[0]:
            silent += 1
        elif os.read(0, 4096):
            silent = 0
        else:
            return
    if os.getppid() == process:
        os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    watch(int(sys.argv[1]), float(sys.argv[2]))
