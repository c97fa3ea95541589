"""Simulated people at the REST API: what they ask for, how long each answer takes, what goes wrong."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from benchmarks.restart import picture
from benchmarks.server import API

_PATIENCE_S = 60.0
_CLICKS = 3
_HOVERS = 4
"""Clicks an object takes, and places where the pointer rests on the way to each."""


class Refused(Exception):
    """The answer was not the one that was asked for."""


@dataclass
class Log:
    """Milliseconds of what succeeded, by kind of request; counts of what did not, by kind and reason."""

    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def timing(self, kind: str) -> Iterator[None]:
        """Count what is in the `with` block. A refusal or a broken connection ends the block, and is counted."""
        started = time.perf_counter()
        try:
            yield
        except (Refused, httpx.HTTPError) as error:
            reason = str(error) if isinstance(error, Refused) else type(error).__name__
            self.failed[f"{kind}: {reason}"] += 1
            raise Refused from error
        self.took[kind].append((time.perf_counter() - started) * 1e3)

    def figures(self) -> dict[str, Any]:
        """How many, and the percentiles, of each kind; and the failures."""
        kinds = {kind: percentiles(values) for kind, values in sorted(self.took.items())}
        return {"kinds": kinds, "failures": dict(self.failed.most_common())}


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p95 and p99 of milliseconds, and how many there are."""
    p50, p95, p99 = (round(float(each), 1) for each in np.percentile(values, (50, 95, 99)))
    return {"n": len(values), "p50": p50, "p95": p95, "p99": p99}


class Person:
    """One person with a browser: their own connections, project, label and images."""

    def __init__(self, port: int, log: Log, number: int, address: str = "127.0.0.1", connections: int = 6) -> None:
        """Without a login, the server takes two network addresses for two people. A browser has six connections."""
        self.log, self.number = log, number
        self.rng = random.Random(number)
        self.images: list[dict[str, Any]] = []
        self._project = self._label = 0
        limits = httpx.Limits(max_connections=connections, keepalive_expiry=2)  # before the server closes them
        transport = httpx.AsyncHTTPTransport(limits=limits, local_address=address)
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}{API}", timeout=_PATIENCE_S, transport=transport
        )

    async def ask(self, kind: str, method: str, path: str, **arguments: Any) -> Any:
        """One request, counted under `kind`. Raises Refused."""
        with self.log.timing(kind):
            reply = await self._http.request(method, path, **arguments)
            if reply.is_error:
                raise Refused(str(reply.status_code))
        return reply.json() if reply.content else None

    async def prepare(self, samples: int) -> None:
        """A project with a label and some of the sample photos."""
        self._project = (await self.ask("prepare", "POST", "/projects", json={"name": uuid.uuid4().hex}))["id"]
        labels = f"/projects/{self._project}/labels"
        self._label = (await self.ask("prepare", "POST", labels, json={"name": "thing"}))["id"]
        names = [each["name"] for each in await self.ask("prepare", "GET", "/samples")][:samples]
        path = f"/projects/{self._project}/samples"
        self.images = [await self.ask("prepare", "POST", path, json={"name": name}) for name in names]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def place(self, image: dict[str, Any]) -> list[float]:
        """A point of the image."""
        return [self.rng.uniform(0, image["width"]), self.rng.uniform(0, image["height"]), 1]

    async def click(self, image: dict[str, Any], points: list[list[float]]) -> Any:
        """The masks for these points."""
        return await self.ask("click", "POST", f"/images/{image['id']}/prompt", json={"points": points})

    async def hover(self, image: dict[str, Any], pointer: str) -> Any:
        """The masks under the pointer."""
        body = {"points": [self.place(image)], "kind": "hover", "client": pointer}
        return await self.ask("hover", "POST", f"/images/{image['id']}/prompt", json=body)

    async def annotate(self, think: float) -> None:
        """Open an image and make an object: hover, click, look for about `think` seconds; keep it in the end."""
        image = self.rng.choice(self.images)
        await self.ask("open", "POST", f"/images/{image['id']}/open")
        points: list[list[float]] = []
        answer: dict[str, Any] = {}
        for _ in range(_CLICKS):
            for _ in range(_HOVERS):
                await asyncio.sleep(self.rng.expovariate(2 * _HOVERS / think))
                with suppress(Refused):
                    await self.hover(image, f"pointer-{self.number}")
            await asyncio.sleep(self.rng.expovariate(2 / think))
            points.append(self.place(image))
            answer = await self.click(image, points)
        best = answer["candidates"][0]
        kept = {"label_id": self._label, "mask": best["mask"], "score": best["score"]}
        await self.ask("keep", "POST", f"/images/{image['id']}/annotations", json=kept)

    async def automask(self) -> None:
        """Ask for automatic masks and wait for them, as the page does. Leaving early cancels them."""
        image = self.rng.choice(self.images)
        with self.log.timing("auto-mask, all of it"):
            path = f"/images/{image['id']}/automask"
            job = (await self.ask("auto-mask", "POST", path, json={"points_per_side": 16}))["job_id"]
            try:
                while (await self.ask("poll", "GET", f"/jobs/{job}"))["state"] == "running":
                    await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                await self._http.delete(f"/jobs/{job}")
                raise

    async def upload(self, think: float) -> None:
        """Add a photo of its own and wait until it is encoded."""
        data = await asyncio.to_thread(picture, self.rng.randrange(-120, 120))
        files = {"files": (f"{self.rng.getrandbits(64):x}.jpg", data)}
        found = await self.ask("upload", "POST", f"/projects/{self._project}/images", files=files)
        image = (found["images"] or found["known"])[0]
        with self.log.timing("upload to encoded"):
            await self.ask("open", "POST", f"/images/{image['id']}/open")
            while (await self.ask("poll", "GET", f"/images/{image['id']}"))["embedding"] == "none":
                await asyncio.sleep(0.2)
        await asyncio.sleep(self.rng.expovariate(1 / (5 * think)))
