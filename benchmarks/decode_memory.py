"""Memory and clicks of the server while PNG bombs are uploaded: half a megabyte each, 128 megapixels unpacked.

    python -m benchmarks.decode_memory

Prints JSON: resident memory of the server before, at its peak and 10 s afterwards, what became of each upload, and the
times of clicks on another image, meanwhile and without uploads. Exits 1 if the peak reaches 3 GB, if 1.2 GB or more
stay, or if a click fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil

from annotator.settings import ASSETS_DIR
from benchmarks.server import Server
from tests.data.pictures import zeros_png

PEAK_LIMIT, REST_LIMIT = 3.0, 1.2  # GB
_SETTLE_S = 10
_QUIET_S = 5


class Memory:
    """Watches the resident memory of a process and all that it started, 50 times a second."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self.peak = 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def now(self) -> float:
        """In GB, 1e9 bytes."""
        everyone = [self._process, *self._process.children(recursive=True)]
        return float(sum(each.memory_info().rss for each in everyone)) / 1e9

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, self.now())

    def stop(self) -> None:
        """End the watch."""
        self._done.set()
        self._thread.join()


def upload(url: str, project: int, name: str, data: bytes) -> httpx.Response:
    """Send one file."""
    return httpx.post(f"{url}/projects/{project}/images", files={"files": (name, data)}, timeout=300)


def click(url: str, image: str, stop: threading.Event) -> tuple[list[float], int]:
    """Click five times a second until told to stop; milliseconds of the answers, and how many failed."""
    took, failed = [], 0
    with httpx.Client(timeout=60) as client:
        while not stop.wait(0.2):
            started = time.perf_counter()
            reply = client.post(f"{url}/images/{image}/prompt", json={"points": [[200, 150, 1]]})
            took.append((time.perf_counter() - started) * 1e3)
            failed += reply.status_code != 200
    return took, failed


def _stop_after(seconds: float) -> threading.Event:
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    return stop


def _percentiles(took: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(took, q)), 1) for q in (50, 90, 100)}


def main() -> int:
    """Run it; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=8)
    parser.add_argument("--megapixels", type=int, default=128)
    options = parser.parse_args()
    bomb = zeros_png(16_000, options.megapixels * 1_000_000 // 16_000)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        assert server.process is not None
        memory = Memory(server.process.pid)
        try:
            url = f"http://127.0.0.1:{server.port}/api/v1"
            project = server.call("GET", "/status")["project_id"]
            cat = (ASSETS_DIR / "samples" / "skimage_chelsea.jpg").read_bytes()
            image = upload(url, project, "cat.jpg", cat).json()["images"][0]["id"]
            server.call("POST", f"/images/{image}/prompt", {"points": [[200, 150, 1]]})
            quiet = click(url, image, _stop_after(_QUIET_S))[0]
            before, stop = memory.now(), threading.Event()
            with ThreadPoolExecutor(options.uploads + 1) as pool:
                clicks = pool.submit(click, url, image, stop)
                started = time.perf_counter()
                uploads = [pool.submit(upload, url, project, f"{n}.png", bomb) for n in range(options.uploads)]
                replies = [each.result() for each in uploads]
                seconds = time.perf_counter() - started
                stop.set()
                took, failed = clicks.result()
            time.sleep(_SETTLE_S)
            after = memory.now()
        finally:
            memory.stop()
            server.kill()
    figures = {
        "file_bytes": len(bomb),
        "before_gb": round(before, 2),
        "peak_gb": round(memory.peak, 2),
        "after_gb": round(after, 2),
        "statuses": dict(Counter(str(each.status_code) for each in replies)),
        "refused_without_retry_after": sum(r.status_code == 503 and "retry-after" not in r.headers for r in replies),
        "seconds": round(seconds, 1),
        "clicks": len(took),
        "clicks_failed": failed,
        "click_ms": _percentiles(took),
        "click_ms_without_uploads": _percentiles(quiet),
    }
    print(json.dumps(figures))
    return int(memory.peak >= PEAK_LIMIT or after >= REST_LIMIT or failed > 0)


if __name__ == "__main__":
    sys.exit(main())
