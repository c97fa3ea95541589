"""Kill the server with SIGKILL at random moments while clients annotate; check that nothing acknowledged is lost.

    python -m benchmarks.crash --kills 50
    python -m benchmarks.crash --kills 50 --postgres

With --postgres two users share a project, each annotating an image of it, and every other time PostgreSQL is killed
instead of the server.

After each restart the image must hold exactly what was acknowledged, or that plus the one request that was in flight;
no object twice, no object half changed. Then that request is sent again, and must count once; and undo must still work.
Prints counts; exits 1 on any violation.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.server import Gone, Server, users_on_postgres
from tests.postgres import Postgres

Objects = dict[str, int]
"""Annotation id -> area: all this check needs to know of a document."""


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


def annotate(client: Client) -> None:
    """Change the image until the server is gone."""
    with suppress(Gone):
        while True:
            client.step()


def new_client(server: Server, project: int, sample: str, rng: random.Random) -> Client:
    """One with an image of its own, which this user may add."""
    image = server.call("POST", f"/projects/{project}/samples", {"name": sample})["id"]
    return Client(
        server, image, server.call("GET", f"/projects/{project}/labels")[0]["id"], random.Random(rng.random())
    )


@dataclass
class Scene:
    """A server, its clients, and what can be killed."""

    server: Server
    clients: list[Client]
    postgres: Postgres | None = None

    def kill(self, which: int) -> None:
        """Kill the server, or every other time PostgreSQL, while the clients annotate; start it again."""
        with ThreadPoolExecutor(len(self.clients)) as threads:
            working = [threads.submit(annotate, each) for each in self.clients]
            time.sleep(self.clients[0].rng.uniform(0.02, 1.5))
            postgres = self.postgres if which % 2 else None
            (postgres.crash if postgres else self.server.kill)()
            for each in working:
                each.result()
        if postgres:
            postgres.start()
            self.server.wait()
        else:
            self.server.start()


@contextmanager
def one_user(rng: random.Random) -> Iterator[Scene]:
    """A server on SQLite without a login."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            project = server.call("GET", "/status")["project_id"]
            yield Scene(server, [new_client(server, project, "skimage_chelsea", rng)])
        finally:
            server.kill()


@contextmanager
def two_users(rng: random.Random) -> Iterator[Scene]:
    """A server on PostgreSQL whose two users share a project."""
    with users_on_postgres("ann", "ben") as (server, postgres, (ann, ben)):
        project = ann.call("GET", "/status")["project_id"]
        ann.call("PUT", f"/projects/{project}/members/ben", {"role": "annotator"})
        hers, his = (new_client(ann, project, each, rng) for each in ("skimage_chelsea", "skimage_astronaut"))
        yield Scene(server, [hers, replace(his, server=ben)], postgres)


def main() -> int:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgres", action="store_true", help="two users, on PostgreSQL")
    options = parser.parse_args()
    outcomes = {"kept": 0, "kept + in flight": 0, "violations": 0}
    with (two_users if options.postgres else one_user)(random.Random(options.seed)) as scene:
        for number in range(options.kills):
            scene.kill(number)
            for client in scene.clients:
                try:
                    outcomes[client.check()] += 1
                except AssertionError as error:
                    outcomes["violations"] += 1
                    print(f"kill {number + 1}: {error}")
        acknowledged = sum(each.requests for each in scene.clients)
    print(json.dumps({"kills": options.kills, "requests acknowledged": acknowledged, **outcomes}))
    return 1 if outcomes["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
