"""Kill the server with SIGKILL at random moments while a client annotates; check that nothing acknowledged is lost.

    python -m benchmarks.crash --kills 50

After each restart the image must hold exactly what was acknowledged, or that plus the one request that was in flight;
no object twice, no object half changed. Then that request is sent again, and must count once; and undo must still work.
Prints counts; exits 1 on any violation.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.settings import ASSETS_DIR

API = "/api/v1"

Objects = dict[str, int]
"""Annotation id -> area: all this check needs to know of a document."""


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gone(Exception):
    """The server did not answer: it was killed."""


@dataclass
class Server:
    """`annotator serve` on a data folder, started again and again."""

    data_dir: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        self.port = free_port()
        environment = {**os.environ, "ANNOTATOR_COMPILE": "0", "ANNOTATOR_DATA_DIR": str(self.data_dir)}
        command = [sys.executable, "-m", "annotator", "serve", "--port", str(self.port), "--model", "nano"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.call("GET", "/status")
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
        """One JSON request. Raises Gone if no complete answer came."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{API}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        except (OSError, ValueError, EOFError) as error:
            raise Gone from error
        except Exception as error:  # http.client has errors of its own for a cut reply
            raise Gone from error


@dataclass
class Client:
    """Annotates one image at random and remembers what was acknowledged."""

    server: Server
    image_id: str
    label_id: int
    rng: random.Random
    acknowledged: Objects = field(default_factory=dict)
    undone: list[Objects] = field(default_factory=list)
    past: list[Objects] = field(default_factory=list)
    in_flight: Objects | None = None
    repeatable: tuple[str, str, Any] | None = None
    requests: int = 0

    def step(self) -> None:
        """One random change."""
        url = f"/images/{self.image_id}"
        choice = self.rng.random()
        self.repeatable = None
        if self.past and choice < 0.2:
            self.in_flight = self.past[-1]
            self.server.call("POST", f"{url}/undo")
            self.undone.append(self.acknowledged)
            self.acknowledged = self.past.pop()
        elif self.undone and choice < 0.3:
            self.in_flight = self.undone[-1]
            self.server.call("POST", f"{url}/redo")
            self.past.append(self.acknowledged)
            self.acknowledged = self.undone.pop()
        elif self.acknowledged and choice < 0.45:
            victim = self.rng.choice(sorted(self.acknowledged))
            after = {key: area for key, area in self.acknowledged.items() if key != victim}
            which = {"ids": [victim], "request_id": uuid.uuid4().hex}
            self._change(after, "POST", f"{url}/annotations/delete", which)
        elif self.acknowledged and choice < 0.6:
            victim = self.rng.choice(sorted(self.acknowledged))
            mask = self._mask()
            after = {**self.acknowledged, victim: mask["w"] * mask["h"]}
            self._change(after, "PATCH", f"{url}/annotations/{victim}", {"mask": mask, "request_id": uuid.uuid4().hex})
        elif choice < 0.75:  # as automatic masks are kept; the server names these objects
            masks = [self._mask() for _ in range(self.rng.randint(2, 9))]
            objects: list[Any] = [{"label_id": self.label_id, "mask": each, "source": "auto"} for each in masks]
            new = {f"new {number}": each["w"] * each["h"] for number, each in enumerate(masks)}
            many = {"objects": objects, "request_id": uuid.uuid4().hex}
            self._change({**self.acknowledged, **new}, "POST", f"{url}/annotations/many", many)
        else:
            mask, request_id = self._mask(), uuid.uuid4().hex
            new_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.image_id}:{request_id}").hex
            body = {"label_id": self.label_id, "mask": mask, "request_id": request_id, "source": "edit"}
            self._change({**self.acknowledged, new_id: mask["w"] * mask["h"]}, "POST", f"{url}/annotations", body)
        self.in_flight = None
        self.requests += 1

    def _mask(self) -> dict[str, Any]:
        w, h = self.rng.randint(1, 100), self.rng.randint(1, 100)
        return {"x": self.rng.randint(0, 200), "y": self.rng.randint(0, 150), "w": w, "h": h, "runs": [0, w * h]}

    def _change(self, after: Objects, method: str, path: str, body: Any) -> None:
        self.in_flight, self.repeatable = after, (method, path, body)
        reply = self.server.call(method, path, body)
        self.past.append(self.acknowledged)
        self.undone.clear()
        self.acknowledged = _objects(reply) if "annotations" in reply else after

    def check(self) -> str:
        """Compare with the restarted server: 'kept' or 'kept + in flight'. Raises AssertionError otherwise."""
        url = f"/images/{self.image_id}/document"
        document = self.server.call("GET", url)
        present = _objects(document)
        if present == self.acknowledged:
            outcome = "kept"
        else:
            assert self._is_in_flight(present), "something acknowledged is lost, or something unknown is there"
            outcome = "kept + in flight"
        if self.in_flight is not None and self.repeatable is not None:
            self.server.call(*self.repeatable)
            document = self.server.call("GET", url)
            present = _objects(document)
            assert self._is_in_flight(present), "a request that was sent again does not count once"
        self.acknowledged, self.in_flight = present, None
        self.past, self.undone = [], []
        if document["history"]["undo"]:
            self.server.call("POST", f"/images/{self.image_id}/undo")
            redone = self.server.call("POST", f"/images/{self.image_id}/redo")
            assert _objects(redone) == present, "undo and redo do not lead back"
        return outcome

    def _is_in_flight(self, present: Objects) -> bool:
        """Whether these are the objects there would be after the request in flight. New ones may have any id."""
        wanted = self.in_flight or {}
        known = {key: area for key, area in wanted.items() if key in present}
        others = [[area for key, area in each.items() if key not in known] for each in (wanted, present)]
        return known.items() <= present.items() and sorted(others[0]) == sorted(others[1])


def _objects(document: Any) -> Objects:
    """The objects of a reply. Raises AssertionError if one is there twice or half changed."""
    ids = [each["id"] for each in document["annotations"]]
    assert len(ids) == len(set(ids)), "an object is there twice"
    for each in document["annotations"]:
        assert sum(each["mask"]["runs"][1::2]) == each["area"], "an object is half changed"
    return {each["id"]: each["area"] for each in document["annotations"]}


def main() -> int:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    outcomes = {"kept": 0, "kept + in flight": 0, "violations": 0}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        project = server.call("GET", "/status")["project_id"]
        label = server.call("GET", f"/projects/{project}/labels")[0]["id"]
        assert (ASSETS_DIR / "samples" / "skimage_chelsea.jpg").exists()
        image = server.call("POST", f"/projects/{project}/samples", {"name": "skimage_chelsea"})["id"]
        client = Client(server, image, label, rng)
        for kill in range(options.kills):
            threading.Timer(rng.uniform(0.02, 1.5), server.kill).start()
            try:
                while True:
                    client.step()
            except Gone:
                pass
            assert server.process is not None
            server.process.wait()
            server.start()
            try:
                outcomes[client.check()] += 1
            except AssertionError as error:
                outcomes["violations"] += 1
                print(f"kill {kill + 1}: {error}")
        server.kill()
        summary = {"kills": options.kills, "requests acknowledged": client.requests, **outcomes}
    print(json.dumps(summary))
    return 1 if outcomes["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
