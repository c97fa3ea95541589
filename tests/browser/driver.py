"""Hands and eyes for the browser tests: what a user does, and what the page shows."""

from __future__ import annotations

import io
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
COFFEE = SAMPLES / "skimage_coffee.jpg"
CAT = SAMPLES / "skimage_chelsea.jpg"
tints = itertools.count(1)
"""Numbers never used before, to make photos and names that are new to the server."""

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EXECUTABLE = Path("/usr/bin/chromium")
HOOK = Path(__file__).with_name("hook.js")
PATIENCE_MS = 60_000
AUTO_MASK_PATIENCE_MS = 300_000
STATE = "document.querySelector('#annotator').annotator.state()"
NEXT_TASK = "() => new Promise((done) => setTimeout(done))"
# render.js draws a moving view from its last drawing, and afresh once it has stood still for this long.
STANDS_STILL = "() => new Promise((done) => setTimeout(done, 120))"
UNTIL_INTERCEPTED = "async () => { while ((await fetch('page/intercepted')).status !== 204); }"
APPEARS = "(selector) => document.querySelector(selector) !== null"
SAYS = """([selector, words]) =>
  [...document.querySelectorAll(selector)].some((each) => each.checkVisibility() && each.textContent.includes(words))"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"


class Annotator:
    """One open page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(path=HOOK)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self) -> None:
        self.page.goto(self.url, wait_until="domcontentloaded")
        self.ready()

    def reload(self) -> None:
        self.page.reload(wait_until="domcontentloaded")
        self.ready()

    def ready(self) -> None:
        self.appears('#annotator[data-ready="true"][data-busy="false"]')

    def appears(self, selector: str) -> None:
        """Waits for an element, by CSS alone. It looks at each frame; `wait_for_selector` only twice a second."""
        self.page.wait_for_function(APPEARS, arg=selector)

    def settled(self) -> None:
        """Nothing is on its way, and what came has been drawn."""
        self.page.evaluate(NEXT_TASK)
        self.ready()
        self.page.evaluate(TWO_FRAMES)

    def state(self, expression: str) -> Any:
        """A value of the page's state, such as `annotations.length`."""
        return self.page.evaluate(f"() => {STATE}.{expression}")

    def until(self, condition: str, timeout: int = PATIENCE_MS) -> None:
        """Waits for a condition on the page's state, such as `review === null`."""
        self.page.wait_for_function(f"() => {STATE}.{condition}", timeout=timeout)

    def export(self) -> Path:
        """The file that the page downloads without any further choice."""
        self.page.click('#annotator .bar .button:has-text("Export")')
        with self.page.expect_download() as download:
            self.page.click('#annotator .export-menu button:text("Download")')
        return Path(download.value.path())

    def upload(self, *files: tuple[str, bytes], wait: bool = True) -> None:
        # Bytes after the picture's end: no two uploads are the same file, which would not be added again.
        payload = [{"name": name, "mimeType": "image/jpeg", "buffer": data + os.urandom(8)} for name, data in files]
        self.page.set_input_files('#annotator input[type="file"]', payload)  # type: ignore[arg-type]
        if wait:
            self.until(f"image?.name === '{files[0][0]}'")
            self.appears('#annotator[data-ready="true"][data-embedding="ready"]')

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where an image point is on the page."""
        script = "([x, y]) => document.querySelector('#annotator').annotator.imageToPage(x, y)"
        left, top = self.page.evaluate(script, [x, y])
        return left, top

    def click(self, x: float, y: float, **options: Any) -> None:
        self.page.mouse.click(*self.at(x, y), **options)
        self.settled()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        for part in (0.3, 0.7, 1.0):
            self.page.mouse.move(*self.at(*(a + (b - a) * part for a, b in zip(start, end, strict=True))))
        self.page.mouse.up()
        self.settled()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.settled()

    def mask(self, annotation_id: str | None = None) -> np.ndarray:
        """The mask drawn for a kept object, or for the one in progress, as bool [height, width] of the image."""
        script = "(id) => document.querySelector('#annotator').annotator.readMask(id ?? undefined)"
        runs = self.page.evaluate(script, annotation_id)
        full = np.zeros((self.state("image.height"), self.state("image.width")), bool)
        if runs["w"]:
            values = np.arange(len(runs["runs"])) % 2 == 1
            crop = np.repeat(values, runs["runs"]).reshape(runs["h"], runs["w"])
            full[runs["y"] : runs["y"] + runs["h"], runs["x"] : runs["x"] + runs["w"]] = crop
        return full

    def drawn(self, width: int, height: int) -> np.ndarray:
        """Where the overlay's upper left corner is not clear, straight from the canvas: bool [height, width]."""
        script = """([width, height]) => {
          const canvas = document.querySelector('#annotator canvas.overlay');
          const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
          return Array.from({ length: width * height }, (_, i) => (data[4 * i + 3] ? '1' : '0')).join('');
        }"""
        text = self.page.evaluate(script, [width, height])
        return (np.frombuffer(text.encode(), np.uint8) == ord("1")).reshape(height, width)

    def show_at_full_size(self, x: int, y: int) -> None:
        """One screen pixel per image pixel, with the image point (x, y) at the corner of the canvas."""
        script = "([x, y]) => document.querySelector('#annotator').annotator.viewport.set({scale: 1, x: -x, y: -y})"
        self.page.evaluate(script, [x, y])
        self.settled()
        self.page.evaluate(STANDS_STILL)
        self.page.evaluate(TWO_FRAMES)

    def auto_mask(self) -> int:
        """Runs auto-mask to its end; how many proposals wait for review."""
        self.press("q")
        self.until("review?.state !== 'running'", AUTO_MASK_PATIENCE_MS)
        return int(self.state("review?.proposals.length ?? 0"))

    def says(self, selector: str, words: str) -> None:
        """Waits until one of these elements, by CSS alone, has these words."""
        self.page.wait_for_function(SAYS, arg=[selector, words])

    def toast(self, words: str) -> None:
        self.says("#annotator .toast", words)


_running: list[Browser] = []
_idle: defaultdict[str, list[BrowserContext]] = defaultdict(list)
"""Profiles that nobody uses, by their options. They are empty but for what the browser made of the page's scripts."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The browser that runs already, else one that ends with the block."""
    if _running:
        yield _running[0]
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(EXECUTABLE), args=ARGUMENTS)
        _running.append(browser)
        try:
            yield browser
        finally:
            _running.clear()
            _idle.clear()
            browser.close()


@contextmanager
def browser_page(url: str, width: int = 1280, height: int = 800, **options: Any) -> Iterator[Annotator]:
    """An empty browser profile with the page open."""
    options["viewport"] = {"width": width, "height": height}
    with running_browser() as browser:
        idle = _idle[repr(sorted(options.items()))]
        context = idle.pop() if idle else browser.new_context(**options)
        try:
            annotator = Annotator(context.new_page(), url)
            annotator.open()
            yield annotator
            assert not annotator.problems, annotator.problems
        except BaseException:
            context.close()
            raise
        forget(context, url)
        idle.append(context)


def forget(context: BrowserContext, url: str) -> None:
    """Closes the profile's pages, and empties it. Scripts stay compiled, which halves the work of opening the page."""
    for page in context.pages:
        page.close()
    context.unroute_all()
    context.set_offline(False)
    context.clear_cookies()
    blank = context.new_page()
    everything = {"origin": url, "storageTypes": "local_storage,indexeddb,cache_storage,service_workers"}
    context.new_cdp_session(blank).send("Storage.clearDataForOrigin", everything)
    blank.close()


def intercept(page: Annotator, path: str, handler: Callable[[Route], None]) -> None:
    """From now on, `handler` decides about requests to this path.

    After `route` alone, requests of the next moments may still pass: Chromium tells the page a little later.
    """
    page.page.route(f"**/{path}", handler)
    page.page.route("**/intercepted", lambda route: route.fulfill(status=204))
    page.page.evaluate(UNTIL_INTERCEPTED)


@contextmanager
def held(page: Annotator, path: str) -> Iterator[list[Route]]:
    """Requests to this path wait; in the end they go their way."""
    waiting: list[Route] = []
    over = False

    def on_request(route: Route) -> None:
        if over:
            route.continue_()
        else:
            waiting.append(route)

    intercept(page, path, on_request)
    try:
        yield waiting
    finally:
        over = True
        release(waiting, len(waiting))


def arrived(page: Annotator, waiting: list[Route], count: int = 1) -> None:
    """Waits until so many requests are held."""
    for _ in range(PATIENCE_MS // 20):
        if len(waiting) >= count:
            return
        page.page.wait_for_timeout(20)
    raise AssertionError(f"{len(waiting)} of {count} requests came")


def release(waiting: list[Route], count: int) -> None:
    for _ in range(count):
        waiting.pop(0).continue_()


def photo(source: Path, width: int, height: int, orientation: int | None = None, tint: int = 0) -> bytes:
    """A JPEG of a sample at a size of its own; `tint` makes its pixels, and so its identity, different."""
    image = Image.open(source).convert("RGB").resize((width, height))
    pixels = np.asarray(image).astype(np.int16)
    pixels[..., 2] += tint
    exif = Image.Exif()
    if orientation:
        exif[274] = orientation
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=92, exif=exif)
    return out.getvalue()


def next_name(thing: str) -> str:
    """A name that nothing on the server has."""
    return f"{thing} {next(tints)}"


def new_project(page: Annotator) -> str:
    """Shows a new project, and returns its name."""
    name = next_name("project")
    page.page.click("#annotator .button.project")
    page.page.fill('#annotator [aria-label="New project"]', name)
    page.page.keyboard.press("Enter")
    page.says("#annotator .button.project", name)
    page.until("booted")
    return name


def with_photo(page: Annotator, source: Path = CAT) -> Annotator:
    """The page with a fresh copy of a sample, 451 x 300."""
    tint = next(tints)
    page.upload((f"{source.stem}-{tint}.jpg", photo(source, 451, 300, tint=tint)))
    return page
