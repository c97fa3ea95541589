"""A real server of its own for a script: started, asked, killed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from annotator.storage.store import Store
from annotator.workspace.accounts import Accounts
from tests.postgres import Postgres, throw_away

API = "/api/v1"
PASSWORD = "correct horse"


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gone(Exception):
    """The server did not answer, or its database did not: it was killed."""


@dataclass
class Server:
    """`annotator serve` on a data folder, started again and again."""

    data_dir: Path
    database_url: str = ""
    token: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers."""
        environment = {**os.environ, "ANNOTATOR_COMPILE": "0", "ANNOTATOR_DATA_DIR": str(self.data_dir)}
        if self.database_url:
            environment["ANNOTATOR_DATABASE_URL"] = self.database_url
        command = [sys.executable, "-m", "annotator", "serve", "--port", str(self.port), "--model", "nano"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self) -> None:
        """Wait until it and its database answer."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.call("GET", "/projects")
                return
            except Gone:
                time.sleep(0.1)
        raise RuntimeError("The server did not start.")

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One JSON request. Raises Gone if no complete answer came, or 503."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{API}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise Gone from error
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        except (OSError, ValueError, EOFError) as error:
            raise Gone from error
        except Exception as error:  # http.client has errors of its own for a cut reply
            raise Gone from error


@contextmanager
def users_on_postgres(*names: str) -> Iterator[tuple[Server, Postgres, list[Server]]]:
    """A running server on a PostgreSQL that survives being killed, and the same server as each user asks it.

    The server itself speaks for an admin of another name. All users have the same PASSWORD.
    """
    with tempfile.TemporaryDirectory() as folder, throw_away(fsync=True) as postgres:
        store = Store(postgres.url)
        accounts = Accounts(store)
        for name in ("root", *names):
            accounts.add(name, PASSWORD)
        root, *tokens = (accounts.new_token(name, "script") for name in ("root", *names))
        store.close()
        server = Server(Path(folder), postgres.url, root)
        server.start()
        try:
            yield server, postgres, [replace(server, token=each) for each in tokens]
        finally:
            server.kill()
