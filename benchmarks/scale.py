"""A project of 1,000 images with 20 objects each: how long opening, moving on and exporting take.

python -m benchmarks.scale --images 1000 --objects 20
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
import psutil
from fastapi.testclient import TestClient
from PIL import Image

from annotator.masks import rle as rles
from annotator.serving.local import LocalSegmenter
from annotator.settings import ASSETS_DIR, Settings
from annotator.storage.store import Store
from annotator.types import RLE, Annotation, Change
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace


def main() -> None:
    """Build the project through the store, then use it through the routes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), model="nano", compile=False, allowed_hosts=("*",))
        space = Workspace(settings, Store(settings.store_url), LocalSegmenter(settings))
        took = build(space, options.images, options.objects)
        with TestClient(create_app(space, settings, page=False)) as client:
            figures = {"build_s": round(took, 1), **_use(client, space)}
    print(json.dumps(figures, indent=1))


def build(space: Workspace, images: int, objects: int) -> float:
    """Fill the home project with photos that all differ, and objects on them; returns the seconds it took."""
    started = time.perf_counter()
    project = space.home("local")
    (label,) = space.store.labels(project.id)
    rng = np.random.default_rng(0)
    photo = np.asarray(Image.open(ASSETS_DIR / "samples" / "skimage_coffee.jpg").convert("RGB"))
    for number in range(images):
        buffer = io.BytesIO()
        Image.fromarray(np.roll(photo, number, axis=number % 2)).save(buffer, "JPEG", quality=90)
        record, _ = space.images.add(project, f"{number}.jpg", buffer.getvalue())
        changes = []
        for _ in range(objects):
            mask = disc(rng, record.height, record.width)
            made = Annotation(uuid.uuid4().hex, record.id, label.id, mask, rles.area(mask), rles.bbox(mask), 0.9)
            changes.append(Change(None, made))
        space.store.commit(record.id, "accept automatic masks", changes)
    return time.perf_counter() - started


def disc(rng: np.random.Generator, height: int, width: int, largest: int = 60) -> RLE:
    """A disc of a radius of 5 to `largest` pixels somewhere in an image."""
    radius = int(rng.integers(5, largest))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    left, top = int(rng.integers(0, width - 2 * radius - 1)), int(rng.integers(0, height - 2 * radius - 1))
    return rles.encode_at(x * x + y * y <= radius * radius, left, top, height, width)


def _use(client: TestClient, space: Workspace) -> dict[str, float]:
    project = client.get("/api/v1/status").json()["project_id"]
    figures: dict[str, float] = {}
    while not space.segmenter.info().name:  # the model is loading
        time.sleep(0.05)
    listing = _timed(lambda: client.get(f"/api/v1/projects/{project}/images", params={"limit": 200}), 5)
    ids = [each["id"] for each in client.get(f"/api/v1/projects/{project}/images?limit=1000").json()["images"]]
    process = psutil.Process()
    moves = []
    memory = []
    for image_id in ids[:220]:
        start = time.perf_counter()
        assert client.post(f"/api/v1/images/{image_id}/open").status_code == 200
        moves.append((time.perf_counter() - start) * 1e3)
        memory.append(process.memory_info().rss / 2**20)
    start = time.perf_counter()
    reply = client.get(f"/api/v1/projects/{project}/export/coco")
    exported = time.perf_counter() - start
    figures["list_200_ms_p50"] = round(float(np.median(listing)), 1)
    figures["open_ms_p50"], figures["open_ms_p90"] = (round(float(v), 1) for v in np.percentile(moves, (50, 90)))
    figures["memory_mib_after_20_moves"], figures["memory_mib_after_220_moves"] = round(memory[19]), round(memory[-1])
    figures["export_s"], figures["export_mb"] = round(exported, 2), round(len(reply.content) / 1e6, 1)
    figures["exported_objects"] = len(reply.json()["annotations"])
    return figures


def _timed(work: object, repeats: int) -> list[float]:
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()  # type: ignore[operator]
        took.append((time.perf_counter() - start) * 1e3)
    return took


if __name__ == "__main__":
    main()
