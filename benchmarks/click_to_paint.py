"""Browser to mask: from the pointer going down to the frame that shows the mask, in headless Chromium on this machine.

    python -m benchmarks.click_to_paint --url http://127.0.0.1:7860 --clicks 50

Opens the page of a running server, uploads a 1500 x 1000 photo, waits for its embedding, then makes single clicks (each
dropped again with Esc). The page itself measures; the server's spans come with every reply.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from annotator.settings import ASSETS_DIR
from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, new_page, on_page, settle

_WARM_UP = 5


def photo() -> bytes:
    """The coffee at 1500 x 1000."""
    buffer = io.BytesIO()
    Image.open(ASSETS_DIR / "samples" / "skimage_coffee.jpg").resize((1500, 1000)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def measure(page: Page, clicks: int, rng: random.Random) -> list[dict[str, float]]:
    """The spans of each click, in milliseconds; `paint` is click to paint."""
    spans = []
    for number in range(clicks + _WARM_UP):
        x, y = on_page(page, rng.uniform(150, 1350), rng.uniform(100, 900))
        page.evaluate(f"() => {{ window.__seen = {HOOK}.state().timing; }}")
        page.mouse.click(x, y)
        page.wait_for_function(f"() => {HOOK}.state().timing && {HOOK}.state().timing !== window.__seen")
        timing: dict[str, float] = page.evaluate(f"() => {HOOK}.state().timing")
        page.keyboard.press("Escape")
        page.wait_for_selector('#annotator[data-busy="false"]')
        if number >= _WARM_UP:
            spans.append(timing)
    return spans


def summary(spans: list[dict[str, float]]) -> dict[str, Any]:
    """p50, p90 and p99 of every span."""
    found: dict[str, Any] = {"n": len(spans)}
    for name in ("paint", "total", "queue", "decode", "postprocess"):
        p50, p90, p99 = np.percentile([each[name] for each in spans], (50, 90, 99))
        found[name] = {"p50": round(float(p50), 1), "p90": round(float(p90), 1), "p99": round(float(p99), 1)}
    found["encodes"] = sum(each.get("encode") is not None for each in spans)
    return found


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7860")
    parser.add_argument("--clicks", type=int, default=50)
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = new_page(browser, viewport={"width": 1280, "height": 800})
        page.goto(options.url)
        page.wait_for_selector('#annotator[data-ready="true"]')
        upload = {"name": "click-to-paint.jpg", "mimeType": "image/jpeg", "buffer": photo()}
        page.set_input_files('#annotator input[type="file"]', upload)  # type: ignore[arg-type]
        page.wait_for_function(f"() => {HOOK}.state().image?.name === 'click-to-paint.jpg'")
        settle(page)
        spans = measure(page, options.clicks, random.Random(0))
        browser.close()
    print(json.dumps(summary(spans), indent=1))


if __name__ == "__main__":
    main()
