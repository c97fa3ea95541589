"""A stand-in for the Hugging Face hub on this machine."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

CONTENT = bytes(range(256)) * 100_000  # 26 MB: several chunks of 10 MiB
BREAK = 15_000_000


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges, as the hub does. Can break off, and can then be out of order."""

    protocol_version = "HTTP/1.1"
    break_after: int | None = None
    """Bytes after which a reply ends early."""
    out_of_order_after_break = False
    out_of_order = False
    ranges: ClassVar[list[str | None]] = []
    paths: ClassVar[set[str]] = set()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        Hub.paths.add(self.path)
        if Hub.out_of_order:
            self.send_error(500)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        if self.command == "GET":
            Hub.ranges.append(wanted)
            self.wfile.write(CONTENT[start:][: Hub.break_after])
            if Hub.break_after is not None:
                self.close_connection = True
                Hub.break_after = None
                Hub.out_of_order = Hub.out_of_order_after_break

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    Hub.break_after, Hub.out_of_order_after_break, Hub.out_of_order = None, False, False
    Hub.ranges, Hub.paths = [], set()
    yield Hub
    server.shutdown()
    server.server_close()
