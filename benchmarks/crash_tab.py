"""Kill the tab with SIGKILL at random moments while someone keeps objects; check that nothing is lost or doubled.

    python -m benchmarks.crash_tab --kills 50

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
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page, Request, Response, Route, sync_playwright

from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, new_page, on_page
from benchmarks.crash import Server

Box = tuple[int, ...]
"""x, y, w, h of a mask."""


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


def main() -> int:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    rng = random.Random(0)
    watch = Watch()
    outcomes = {"kills": options.kills, "in flight at the kill": 0, "lost": 0, "doubled": 0, "unknown": 0}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        server.start()
        project = server.call("GET", "/status")["project_id"]
        image = server.call("POST", f"/projects/{project}/samples", {"name": "skimage_chelsea"})["id"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        for number in range(options.kills):
            page = new_page(context)
            watch.follow(page)
            open_page(page, f"http://127.0.0.1:{server.port}")
            if number % 2:
                propose(page)
            else:
                page.keyboard.press("b")
            threading.Timer(rng.uniform(0.1, 2.0), kill_all, [renderers(browser)]).start()
            try:
                while True:
                    (judge if number % 2 else paint)(page, rng)
            except Error:
                pass  # the tab is gone
            outcomes["in flight at the kill"] += len(set(watch.sent) - watch.acknowledged)
            page.close()
            page = new_page(context)
            watch.follow(page)
            open_page(page, f"http://127.0.0.1:{server.port}")
            page.close()
            annotations = server.call("GET", f"/images/{image}/document")["annotations"]
            present = Counter(box_of(each["mask"]) for each in annotations)
            extra = present - watch.boxes
            outcomes["lost"] += (watch.boxes - present).total()
            outcomes["doubled"] += sum(count for box, count in extra.items() if box in watch.boxes)
            outcomes["unknown"] += sum(count for box, count in extra.items() if box not in watch.boxes)
        browser.close()
        server.kill()
    print(json.dumps({**outcomes, "kept": watch.boxes.total()}))
    return 1 if outcomes["lost"] or outcomes["doubled"] or outcomes["unknown"] else 0


if __name__ == "__main__":
    sys.exit(main())
