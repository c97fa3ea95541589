"""The pictures of the README, made from the running program, never by hand.

    python -m benchmarks.pictures --url http://127.0.0.1:7860

assets/one_click.png: each sample photo before and after one click. assets/screenshot.png: the page with kept objects;
start the server on an empty data folder for it.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.candidates import find_candidates
from annotator.sam.predictor import Predictor
from annotator.serving.model_host import pick_device
from annotator.settings import ASSETS_DIR, Settings
from annotator.types import Point, Prompt
from benchmarks.browser import ARGUMENTS, CHROMIUM, click, new_page, settle

CLICKS = {
    "skimage_chelsea": (220, 170),
    "skimage_coffee": (300, 150),
    "skimage_astronaut": (220, 330),
    "skimage_rocket": (322, 230),
}
_TILE = (300, 220)
_GREEN = np.array((30, 200, 90))


def one_click(model: str) -> None:
    """Write assets/one_click.png: photos above, the recommended mask of one click below."""
    settings = Settings.from_environment()
    spec = zoo.spec_of(model)
    predictor = Predictor.eager(model, zoo.checkpoint_path(spec, settings.models_dir), pick_device(settings.device))
    sheet = Image.new("RGB", (_TILE[0] * len(CLICKS), _TILE[1] * 2))
    for column, (name, (x, y)) in enumerate(CLICKS.items()):
        photo = np.array(Image.open(ASSETS_DIR / "samples" / f"{name}.jpg").convert("RGB"))
        (embedding,) = predictor.encode([photo])
        (best,) = find_candidates(predictor, embedding, Prompt((Point(x, y, 1),)), keep=1).masks
        after = _painted(photo, rles.decode(best.mask), (x, y))
        for row, picture in enumerate((Image.fromarray(photo), after)):
            sheet.paste(picture.resize(_TILE), (column * _TILE[0], row * _TILE[1]))
    sheet.save(ASSETS_DIR / "one_click.png")


def _painted(photo: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], click: tuple[int, int]) -> Image.Image:
    shown = photo.copy()
    shown[mask] = (shown[mask] * 0.45 + _GREEN * 0.55).astype(np.uint8)
    picture = Image.fromarray(shown)
    radius = max(photo.shape) // 70
    x, y = click
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(picture).ellipse(box, fill=(255, 60, 60), outline="white", width=2)
    return picture


def screenshot(page: Page, url: str) -> None:
    """Write assets/screenshot.png: the astronaut with one object kept, the next in progress."""
    page.goto(url)
    page.wait_for_selector('#annotator[data-ready="true"]')
    project = page.evaluate("() => fetch('/api/v1/status').then((r) => r.json()).then((s) => s.project_id)")
    for name in ("person", "helmet"):
        _post(page, f"/api/v1/projects/{project}/labels", {"name": name})
    for name in sorted(CLICKS, key=lambda each: each == "skimage_astronaut"):  # the page opens the last one
        _post(page, f"/api/v1/projects/{project}/samples", {"name": name})
    page.reload()
    settle(page)
    page.locator("#annotator .canvas-box").focus()
    click(page, 220, 330)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    settle(page)
    page.keyboard.press("3")
    click(page, 410, 400)
    page.wait_for_timeout(800)
    page.screenshot(path=str(ASSETS_DIR / "screenshot.png"))


def _post(page: Page, path: str, body: dict[str, str]) -> None:
    script = """([path, body]) => fetch(path, {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)
    })"""
    page.evaluate(script, [path, body])


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7860")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    one_click(options.model)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        screenshot(new_page(browser, viewport={"width": 1280, "height": 800}), options.url)
        browser.close()


if __name__ == "__main__":
    main()
