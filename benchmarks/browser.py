"""What the scripts that drive a browser share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
HOOK = "document.querySelector('#annotator').annotator"
_HOOK_SCRIPT = Path(__file__).resolve().parents[1] / "tests" / "browser" / "hook.js"


def hook(page: Page) -> Page:
    """Let HOOK look into what this page loads from now on."""
    page.add_init_script(path=_HOOK_SCRIPT)
    return page


def new_page(browser: Browser | BrowserContext, **options: Any) -> Page:
    """A page with HOOK."""
    return hook(browser.new_page(**options))


def settle(page: Page) -> None:
    """Wait until an image is drawn and encoded, nothing is on its way, and what came was painted."""
    page.wait_for_selector('#annotator[data-ready="true"][data-embedding="ready"]')
    page.wait_for_selector('#annotator[data-busy="false"]')
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def on_page(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where an image point is on the page."""
    left, top = page.evaluate(f"([x, y]) => {HOOK}.imageToPage(x, y)", [x, y])
    return left, top


def click(page: Page, x: float, y: float) -> None:
    """Click an image point and wait for the mask."""
    page.mouse.click(*on_page(page, x, y))
    settle(page)
