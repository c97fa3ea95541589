"""The whole workflow in a minute, as pictures for the README: assets/walk/1-open.jpg and so on.

    python -m benchmarks.walk --url http://127.0.0.1:7860

Start the server on an empty data folder for it.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import FilePayload, Page, sync_playwright

from annotator.settings import ASSETS_DIR
from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, click, new_page, on_page, settle

FOLDER = ASSETS_DIR / "walk"
_SIZE = (960, 600)


def shoot(page: Page, name: str) -> None:
    """Save what the page shows."""
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(_SIZE, Image.Resampling.LANCZOS)
    picture.save(FOLDER / f"{name}.jpg", quality=82, optimize=True)


def label(page: Page, name: str) -> None:
    """Choose a label, made if it is new."""
    page.fill('#annotator [aria-label="New label"]', name)
    page.keyboard.press("Enter")
    chosen = (
        f"(name) => {{ const s = {HOOK}.state(); return s.labels.find((l) => l.id === s.labelId)?.name === name; }}"
    )
    page.wait_for_function(chosen, arg=name)
    page.locator("#annotator .canvas-box").focus()
    settle(page)


def sheet(samples: Path) -> bytes:
    """A photo large enough for fine detail: the samples side by side, 2560 x 1440, a cat at (640, 480)."""
    whole = Image.new("RGB", (2560, 1440))
    names = ("rocket", "coffee", "astronaut", "chelsea")
    photos = [Image.open(samples / f"skimage_{name}.jpg").resize((640, 480)) for name in names]
    for place in range(12):
        row, column = divmod(place, 4)
        whole.paste(photos[(3 + place - row) % 4], (640 * column, 480 * row))
    data = io.BytesIO()
    whole.save(data, "JPEG", quality=92)
    return data.getvalue()


def walk(page: Page, url: str) -> None:
    """From an empty page to a file."""
    page.goto(url)
    page.wait_for_selector('#annotator[data-ready="true"]')
    page.wait_for_selector("#annotator .empty img")
    shoot(page, "1-open")
    samples = ASSETS_DIR / "samples"
    page.set_input_files(
        '#annotator input[type="file"]', [samples / "skimage_coffee.jpg", samples / "skimage_chelsea.jpg"]
    )
    page.wait_for_function(f"() => {HOOK}.state().images.length === 2")
    settle(page)
    click(page, 300, 150)
    shoot(page, "2-click")
    click(page, 215, 110)
    click(page, 290, 215)
    page.mouse.click(*on_page(page, 300, 290), button="right")
    settle(page)
    shoot(page, "3-correct")
    label(page, "cup")
    page.keyboard.press("Enter")
    settle(page)
    label(page, "spoon")
    page.mouse.move(*on_page(page, 335, 70))
    page.mouse.down()
    page.mouse.move(*on_page(page, 380, 200))
    page.mouse.move(*on_page(page, 430, 335))
    page.mouse.up()
    settle(page)
    shoot(page, "4-box")
    page.keyboard.press("Enter")
    settle(page)
    page.keyboard.press(".")
    page.keyboard.press("x")
    page.mouse.move(*on_page(page, 200, 60))
    page.mouse.down()
    page.mouse.move(*on_page(page, 260, 60))
    page.mouse.move(*on_page(page, 330, 75))
    shoot(page, "5-erase")
    page.mouse.up()
    settle(page)
    page.keyboard.press("x")
    page.keyboard.press("Control+z")
    settle(page)
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_function(f"() => {HOOK}.state().image.name === 'skimage_chelsea.jpg'")
    settle(page)
    page.keyboard.press("q")
    page.wait_for_function(f"() => {HOOK}.state().review?.state === 'done'", timeout=120_000)
    settle(page)
    page.mouse.move(*on_page(page, 220, 170))
    shoot(page, "6-auto-mask")
    page.keyboard.press("Escape")
    click(page, 220, 170)
    label(page, "cat")
    page.keyboard.press("Enter")
    settle(page)
    large: FilePayload = {"name": "sheet.jpg", "mimeType": "image/jpeg", "buffer": sheet(samples)}
    page.set_input_files('#annotator input[type="file"]', large)
    page.wait_for_function(f"() => {HOOK}.state().image.name === 'sheet.jpg'")
    settle(page)
    page.evaluate(f"() => {HOOK}.viewport.set({{scale: 2, x: -1240, y: -930}})")
    page.keyboard.press("z")
    click(page, 860, 640)
    shoot(page, "7-fine-detail")
    page.keyboard.press("Enter")
    settle(page)
    page.keyboard.press("z")
    page.keyboard.press("f")
    page.click('#annotator .button:has-text("Done")')
    page.click('#annotator .button:has-text("Export")')
    with page.expect_download() as download:
        page.click('#annotator .export-menu button:text("Download")')
    assert download.value.suggested_filename == "annotations.json"
    settle(page)
    shoot(page, "8-export")


def main() -> None:
    """Walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7860")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        walk(new_page(browser, viewport={"width": 1280, "height": 800}), options.url)
        browser.close()


if __name__ == "__main__":
    main()
