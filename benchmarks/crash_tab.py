"""Kill the tab with SIGKILL at random moments while someone keeps objects; check that nothing is lost or doubled.

    python -m benchmarks.crash_tab --kills 50
    python -m benchmarks.crash_tab --kills 50 --postgres

With --postgres two users work at once, both tabs are killed, and every other time PostgreSQL is killed and started
again before.

Objects are painted, and every other time automatic masks are kept one by one. After each kill the page is opened again
in the same browser. What the server had acknowledged must be there, and so must what was on its way: the page keeps it
in the browser and sends it again. Prints counts; exits 1 on any violation.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Request,
    Response,
    Route,
    ViewportSize,
    sync_playwright,
)

from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, new_page, on_page
from benchmarks.server import PASSWORD, Server, users_on_postgres
from tests.postgres import Postgres

Box = tuple[int, ...]
"""x, y, w, h of a mask."""

_PATIENCE_MS = 120_000
_VIEWPORT: ViewportSize = {"width": 1280, "height": 800}


class Watch:
    """What a page sent and what was acknowledged: request ids, and the boxes of their objects' masks."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Box]] = {}
        self.acknowledged: set[str] = set()

    def follow(self, page: Page) -> None:
        """Note the requests of this page."""
        page.on("request", self._request)
        page.on("response", self._response)

    @property
    def boxes(self) -> Counter[Box]:
        """Of all objects that should be there."""
        return Counter(box for boxes in self.sent.values() for box in boxes)

    def _request(self, request: Request) -> None:
        if self._keeps(request):
            body = request.post_data_json or {}
            self.sent[body["request_id"]] = [box_of(each["mask"]) for each in body.get("objects", [body])]

    def _response(self, response: Response) -> None:
        if self._keeps(response.request) and response.ok:
            self.acknowledged.add(str((response.request.post_data_json or {})["request_id"]))

    @staticmethod
    def _keeps(request: Request) -> bool:
        return request.method == "POST" and request.url.endswith(("/annotations", "/annotations/many"))


def box_of(mask: dict[str, Any]) -> Box:
    """The box of a mask as the server and the page write it."""
    return tuple(mask[each] for each in "xywh")


def renderers(browser: Browser) -> set[int]:
    """Process ids of the browser's tabs."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return {each["id"] for each in found["processInfo"] if each["type"] == "renderer"}


def kill_all(pids: set[int]) -> None:
    """SIGKILL those that still run."""
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def open_page(page: Page, url: str) -> None:
    """Open and wait until the image is drawn and nothing is on its way."""
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_selector('#annotator[data-ready="true"][data-busy="false"]')
    page.wait_for_function(f"() => {HOOK}.state().image !== null")


def paint(page: Page, rng: random.Random) -> None:
    """One object by the brush, kept."""
    x, y = on_page(page, rng.uniform(40, 400), rng.uniform(40, 260))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + rng.uniform(5, 30), y + rng.uniform(5, 30))
    page.mouse.up()
    page.keyboard.press("Enter")


def propose(page: Page) -> None:
    """Let automatic masks be found, a few of them."""

    def few(route: Route) -> None:
        route.continue_(post_data=json.dumps({**(route.request.post_data_json or {}), "points_per_side": 8}))

    page.route("**/automask", few)
    page.keyboard.press("q")
    page.wait_for_function(f"() => {HOOK}.state().review?.state === 'done'")


def judge(page: Page, rng: random.Random) -> None:
    """Keep the automatic mask at some place, if there is one."""
    page.mouse.click(*on_page(page, rng.uniform(0, 451), rng.uniform(0, 300)))


@dataclass
class Worker:
    """Someone at a browser: the server as this user asks it, the user's image, and what was sent from the page."""

    context: BrowserContext
    server: Server
    image: str
    rng: random.Random
    watch: Watch = field(default_factory=Watch)

    def open(self) -> Page:
        """A new tab with the page."""
        page = new_page(self.context)
        self.watch.follow(page)
        open_page(page, self.server.url)
        return page

    def log_in(self, name: str) -> None:
        """Log in, for all tabs to come."""
        page = self.context.new_page()
        page.goto(self.server.url)
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.click("button")
        page.wait_for_selector("#annotator")
        page.close()

    def missing_and_extra(self) -> Counter[str]:
        """Compare what the server has with what was sent."""
        annotations = self.server.call("GET", f"/images/{self.image}/document")["annotations"]
        present = Counter(box_of(each["mask"]) for each in annotations)
        extra = present - self.watch.boxes
        doubled = sum(count for box, count in extra.items() if box in self.watch.boxes)
        lost = (self.watch.boxes - present).total()
        return Counter(lost=lost, doubled=doubled, unknown=extra.total() - doubled)


@contextmanager
def one_worker(browser: Browser) -> Iterator[tuple[list[Worker], None]]:
    """On SQLite, without a login."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            yield [new_worker(browser, server, random.Random(0))], None
        finally:
            server.kill()


@contextmanager
def two_workers(browser: Browser) -> Iterator[tuple[list[Worker], Postgres]]:
    """On PostgreSQL, each logged in."""
    names = ("ann", "ben")
    with users_on_postgres(*names) as (_, postgres, servers):
        workers = [new_worker(browser, each, random.Random(number)) for number, each in enumerate(servers)]
        for name, worker in zip(names, workers, strict=True):
            worker.log_in(name)
        yield workers, postgres


def new_worker(browser: Browser, server: Server, rng: random.Random) -> Worker:
    """Someone with an image in the user's own project."""
    project = server.call("GET", "/status")["project_id"]
    image = server.call("POST", f"/projects/{project}/samples", {"name": "skimage_chelsea"})["id"]
    context = browser.new_context(viewport=_VIEWPORT)
    context.set_default_timeout(_PATIENCE_MS)
    return Worker(context, server, image, rng)


def kill_later(browser: Browser, postgres: Postgres | None, rng: random.Random) -> threading.Thread:
    """Kill PostgreSQL, if there is one, and start it again; then kill the tabs. All after random times."""
    tabs = renderers(browser)

    def kill() -> None:
        if postgres is not None:
            time.sleep(rng.uniform(0.1, 2.0))
            postgres.crash()
            postgres.start()
        time.sleep(rng.uniform(0.1, 2.0))
        kill_all(tabs)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def main() -> int:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--postgres", action="store_true", help="two users, on PostgreSQL")
    options = parser.parse_args()
    rng = random.Random(0)
    outcomes: Counter[str] = Counter()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with (two_workers if options.postgres else one_worker)(browser) as (workers, postgres):
            for number in range(options.kills):
                act = judge if number % 2 else paint
                tabs = [(each.open(), each) for each in workers]
                for page, _ in tabs:
                    propose(page) if number % 2 else page.keyboard.press("b")
                killer = kill_later(browser, postgres if number % 4 < 2 else None, rng)
                with suppress(Error):  # the tabs are gone
                    while True:
                        for page, worker in tabs:
                            act(page, worker.rng)
                killer.join()
                for page, worker in tabs:
                    outcomes["in flight at the kill"] += len(set(worker.watch.sent) - worker.watch.acknowledged)
                    page.close()
                    worker.open().close()
                    outcomes.update(worker.missing_and_extra())
            kept = sum(each.watch.boxes.total() for each in workers)
        browser.close()
    wrong = {each: outcomes[each] for each in ("lost", "doubled", "unknown")}
    print(json.dumps({"kills": options.kills, "in flight": outcomes["in flight at the kill"], **wrong, "kept": kept}))
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
