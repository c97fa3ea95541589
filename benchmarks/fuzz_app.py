"""The application under `benchmarks.fuzz requests`: real routes and database, a fake segmenter, known content."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sqlite3
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import numpy as np
from fastapi import FastAPI
from PIL import Image

from annotator.masks import rle
from annotator.settings import ASSETS_DIR, Settings
from annotator.storage.store import Store
from annotator.types import Change, ImageRecord
from annotator.web.routes.api import router
from annotator.web.server import create_app
from annotator.workspace.annotations import NewObject, new_annotation
from annotator.workspace.workspace import Workspace
from benchmarks import scratch
from tests.fake_segmenter import FakeSegmenter

API = router.prefix
SERVER_FOLDER = str(ASSETS_DIR / "samples")
SERVER_FILE = str(ASSETS_DIR / "samples" / "skimage_chelsea.jpg")
IMAGE, OTHER_IMAGE, REMOVED_IMAGE = (letter * 32 for letter in "abc")
JOB = f"{IMAGE}-{'d' * 32}"
OBJECTS = ("e" * 32, "f" * 32)
SPARE_LABEL, MERGED_LABEL, REMOVED_PROJECT = 3, 4, 2
"""Ids that the database gives to them, since they are made in this order."""
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[5, 5, 30, 5, 30, 28]]}],
    }
).encode()


def _picture(value: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


PICTURE = _picture(9)


@dataclass(frozen=True)
class Route:
    """An operation of the OpenAPI document. `kind` is the content type of its body, `schema` what that should be."""

    method: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    kind: str
    schema: dict[str, Any] | None


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes


class _Application:
    """The application, and a copy of its database as it should be at the start of a case."""

    def __init__(self) -> None:
        data_dir = scratch.folder() / str(os.getpid())
        settings = Settings(data_dir=data_dir, allowed_hosts=("test",), image_folders=(ASSETS_DIR / "samples",))
        data_dir.mkdir(parents=True, exist_ok=True)
        self.segmenter = FakeSegmenter()
        self.workspace = Workspace(settings, Store(settings.store_url), self.segmenter)
        self.app: FastAPI = create_app(self.workspace, settings, page=False)
        self.app.state.streams.close()  # a stream of events ends at once
        self._database = data_dir / "annotator.db"
        self._fill()
        self._content = sqlite3.connect(":memory:", check_same_thread=False)
        with sqlite3.connect(self._database) as present:
            present.backup(self._content)

    def reset(self) -> None:
        """Everything as it was at first."""
        with sqlite3.connect(self._database) as present:
            present.execute("PRAGMA synchronous = OFF")
            self._content.backup(present)
        self.segmenter.encoded.clear()
        self.segmenter.runs.clear()
        self.segmenter.start_automask(JOB, self.workspace.images.source(self._image), None)  # type: ignore[arg-type]

    def _fill(self) -> None:
        store, home = self.workspace.store, self.workspace.home("local")
        removed = store.create_project("removed", "local")
        for name in ("thing", "spare", "merged"):
            store.add_label(home.id, name)
        store.merge_labels(MERGED_LABEL, 1)
        store.remove_project(removed.id)
        assert removed.id == REMOVED_PROJECT
        for number, image_id in enumerate((IMAGE, OTHER_IMAGE, REMOVED_IMAGE)):
            record, _ = self.workspace.images.add(home, f"{'abc'[number]}.png", _picture(number))
            with store._writing() as connection:
                connection.exec_driver_sql("UPDATE images SET id = ? WHERE id = ?", (image_id, record.id))
        store.delete_image(REMOVED_IMAGE)
        self._image: ImageRecord = store.image(IMAGE)
        for number, object_id in enumerate(OBJECTS):
            mask = np.zeros((40, 60), np.bool_)
            mask[5 : 15 + number, 5:30] = mask[30:33, 40:50] = True
            annotation = new_annotation(IMAGE, NewObject(1, rle.encode(mask)), object_id)
            store.commit(IMAGE, "keep object", [Change(None, annotation)])
        kept = store.annotation(IMAGE, OBJECTS[0])
        store.commit(IMAGE, "delete object", [Change(kept, None)])
        store.undo(IMAGE)  # so that there is something to redo


_application = cache(_Application)


def reset() -> None:
    """Everything as it was at first."""
    _application().reset()


@cache
def _document() -> dict[str, Any]:
    return _application().app.openapi()


@cache
def routes() -> list[Route]:
    """All operations of the REST API."""
    found = []
    for path, operations in _document()["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            kind = next(iter(content), "")
            body = content[kind]["schema"] if kind else None
            found.append(Route(method, path, tuple(operation.get("parameters", ())), kind, body))
    return found


def schema(reference: str) -> dict[str, Any]:
    """The schema that a `$ref` names."""
    found: dict[str, Any] = _document()["components"]["schemas"][reference.rpartition("/")[2]]
    return found


_runner = cache(asyncio.Runner)  # one event loop for all requests, as in a server


def send(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Reply:
    """One request to the application as an ASGI server would hand it over."""
    return _runner().run(_send(method, path, query, headers, body))


async def _send(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Reply:
    received = False
    status, parts = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal received
        if received:
            return {"type": "http.disconnect"}
        received = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def answer(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "root_path": "",
    }
    await _application().app(scope, receive, answer)
    return Reply(status, b"".join(parts))
