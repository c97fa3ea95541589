"""Frames a second while someone pans over 300 objects on a photo of 24 megapixels.

    python -m benchmarks.panning --objects 300 --seconds 5

The page counts its own frames (requestAnimationFrame) while the middle button drags the photo about, in headless
Chromium without a GPU: a desktop's browser does better.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from annotator.masks import rle as rles
from annotator.serving.local import LocalSegmenter
from annotator.settings import ASSETS_DIR, Settings
from annotator.storage.store import Store
from annotator.types import Annotation, Change
from annotator.workspace.workspace import Workspace
from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, new_page, settle
from benchmarks.scale import disc
from benchmarks.server import Server

SIZE = (6000, 4000)
COUNT = """() => {
  window.frames = [];
  const tick = (now) => { window.frames.push(now); requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def build(space: Workspace, objects: int) -> None:
    """One photo with objects of a few hundred pixels."""
    project = space.home("local")
    (label,) = space.store.labels(project.id)
    buffer = io.BytesIO()
    Image.open(ASSETS_DIR / "samples" / "skimage_coffee.jpg").resize(SIZE).save(buffer, "JPEG", quality=85)
    record, _ = space.images.add(project, "large.jpg", buffer.getvalue())
    rng = np.random.default_rng(0)
    masks = [disc(rng, record.height, record.width, largest=400) for _ in range(objects)]
    made = [Annotation(uuid.uuid4().hex, record.id, label.id, m, rles.area(m), rles.bbox(m), 0.9) for m in masks]
    space.store.commit(record.id, "accept automatic masks", [Change(None, each) for each in made])


def main() -> None:
    """Build, open, pan, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = Settings(data_dir=Path(folder), model="nano", compile=False)
        space = Workspace(settings, Store(settings.store_url), LocalSegmenter(settings))
        build(space, options.objects)
        space.segmenter.close()
        server = Server(Path(folder))
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = new_page(browser, viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{server.port}")
        settle(page)
        page.evaluate(f"() => {HOOK}.viewport.set({{scale: 0.5, x: -800, y: -600}})")
        page.wait_for_timeout(500)
        page.mouse.move(500, 400)
        page.mouse.down(button="middle")
        page.evaluate(COUNT)
        started = time.monotonic()
        while (at := time.monotonic() - started) < options.seconds:
            page.mouse.move(500 + 250 * math.sin(3 * at), 400 + 150 * math.cos(4 * at))
        times = np.diff(page.evaluate("() => window.frames"))
        page.mouse.up(button="middle")
        drawn = page.evaluate(f"() => {HOOK}.state().annotations.length")
        browser.close()
        server.kill()
    p50, p95 = np.percentile(times, (50, 95))
    figures = {"objects": drawn, "frames_a_second": round(1e3 / float(times.mean()), 1)}
    print(json.dumps({**figures, "frame_ms_p50": round(float(p50), 1), "frame_ms_p95": round(float(p95), 1)}))


if __name__ == "__main__":
    main()
