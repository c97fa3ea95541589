"""Visitors of another app in which our canvas is a component: a session for each, and nothing of the others."""

from __future__ import annotations

import base64
import io
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import Request
from PIL import Image

from annotator.errors import InvalidMask, NotFound
from annotator.masks import rle as rles
from annotator.serving.segmenter import caller
from annotator.types import BoolArray, UInt8Array
from annotator.web.auth import current_user
from annotator.web.guard import Guard
from annotator.web.server import create_routes
from annotator.workspace.annotations import NewObject
from annotator.workspace.workspace import Workspace

_HEADER = "x-annotator-session"
_IDLE_SECONDS = 24 * 3600
_MOST = 1000
_ROUTES = re.compile(r"/api/v1/(status|samples|(projects|images|labels|jobs)(/.*)?)")
"""What the component asks for. Visitors of an app do not switch the model of all."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What was segmented: `image` is uint8 [h, w, 3], upright RGB; each of `masks` is bool [h, w].

    `labels` and `scores` belong to the masks, in their order. A score is the predicted IoU, None for a mask that was
    edited by hand.
    """

    image: UInt8Array
    masks: list[BoolArray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)


Picture = UInt8Array | Image.Image | str | Path
"""An image as uint8 [h, w, 3], as a Pillow image, or as the path of a file."""


class Guests:
    """Sessions on one workspace. Each is a user of its own, whose name is a secret of its browser tab."""

    def __init__(self, workspace: Workspace) -> None:
        self._space = workspace
        self._app = create_routes(workspace)
        self._app.add_middleware(Guard, settings=workspace.settings)
        self._app.dependency_overrides[current_user] = self._user_of
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self, labels: Sequence[str]) -> str:
        """A new session with one project that has these labels. Sessions that were idle for a day end.

        Of more than a thousand the oldest end.
        """
        self._end_idle()
        session = secrets.token_urlsafe(24)
        project = self._space.store.create_project("Images", session)
        for name in labels:
            self._space.store.add_label(project.id, name)
        with self._lock:
            self._used[session] = time.monotonic()
        return session

    async def answer(self, session: str, method: str, path: str, media_type: str, body: str) -> dict[str, Any]:
        """The reply of the REST routes to the user of the session; what is not JSON is in base64. Raises NotFound."""
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        headers = {_HEADER: session, "Content-Type": media_type}
        async with httpx.AsyncClient(transport=transport, base_url="http://component") as client:
            request = client.build_request(method, path, content=base64.b64decode(body), headers=headers)
            if not _ROUTES.fullmatch(request.url.path):
                raise NotFound(f"The component has no use for {request.url.path}.")
            caller.set(session)
            reply = await client.send(request)
        is_json = reply.headers.get("content-type", "").endswith("json")
        return {
            "status": reply.status_code,
            "headers": dict(reply.headers),
            "text": reply.text if is_json else None,
            "base64": None if is_json else base64.b64encode(reply.content).decode(),
        }

    def segmentation(self, session: str, image_id: str) -> Segmentation:
        """An image of the session with its objects. Raises NotFound."""
        self._touch(session)
        record = self._space.store.image(image_id, session)
        kept = self._space.document(record).annotations
        names = {each.id: each.name for each in self._space.store.labels(record.project_id)}
        pixels = self._space.images.pixels(record).copy()  # the original is in a cache
        masks = [rles.decode(each.mask) for each in kept]
        return Segmentation(pixels, masks, [names[each.label_id] for each in kept], [each.score for each in kept])

    def show(self, value: Segmentation | Picture, labels: Sequence[str]) -> dict[str, Any]:
        """A new session with this image, and its objects if it is a segmentation. Raises InvalidImage, InvalidMask."""
        given = value if isinstance(value, Segmentation) else None
        session = self.start(list(dict.fromkeys([*labels, *(given.labels if given else ())])))
        project = self._space.home(session)
        picture = value.image if isinstance(value, Segmentation) else value
        record, _ = self._space.images.add(project, *_file_of(picture))
        revision = 0
        if given and given.masks:
            ids = {each.name: each.id for each in self._space.store.labels(project.id)}
            for mask in given.masks:
                if mask.shape != (record.height, record.width):
                    raise InvalidMask(f"A mask is {mask.shape}; the image is {(record.height, record.width)}.")
            objects = [
                NewObject(ids[label], rles.encode(mask), score, "import")
                for mask, label, score in zip(given.masks, given.labels, given.scores, strict=True)
            ]
            revision = self._space.annotations.keep_many(record, objects, False, None).revision
        return {"session": session, "image": record.id, "revision": revision}

    async def _user_of(self, request: Request) -> str:
        session = request.headers.get(_HEADER, "")
        self._touch(session)
        return session

    def _touch(self, session: str) -> None:
        with self._lock:
            if session not in self._used:
                raise NotFound("This session has ended: reload the page.")
            self._used[session] = time.monotonic()

    def _end_idle(self) -> None:
        before = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            oldest = sorted(self._used, key=self._used.__getitem__)
            idle = [each for at, each in enumerate(oldest, _MOST - len(oldest)) if at < 0 or self._used[each] < before]
            for session in idle:
                del self._used[session]
        for project in (each for session in idle for each in self._space.store.projects(session)):
            self._space.store.remove_project(project.id)
            self._space.images.library.purge(project.id)


def _file_of(image: Picture) -> tuple[str, bytes]:
    """Name and bytes of a file with the image."""
    if isinstance(image, str | Path):
        return Path(image).name, Path(image).read_bytes()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return "image.png", stream.getvalue()
