"""Memory of the tab and of the server while someone moves to and fro through 200 images with 20 objects each.

python -m benchmarks.tab_memory --images 200 --moves 800

The page walks by itself, and the browser is looked at between the stretches only: attached developer tools would keep
every reply in the tab.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Error, Playwright, sync_playwright

from annotator.serving.local import LocalSegmenter
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.workspace.workspace import Workspace
from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, hook, settle
from benchmarks.scale import build
from benchmarks.server import Server, free_port

STRETCH = 10
"""Seconds between two looks."""

WALK = f"""async (images) => {{
  const sleep = () => new Promise((done) => setTimeout(done, 10));
  const root = document.querySelector("#annotator");
  const box = root.querySelector("canvas.overlay").parentElement;
  for (window.walked = 0; ; window.walked += 1) {{
    const before = {HOOK}.state().image.id;
    const key = window.walked % (2 * images - 2) < images - 1 ? "d" : "a";
    box.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
    do await sleep();
    while ({HOOK}.state().image?.id === before || root.dataset.busy !== "false");
  }}
}}"""


def resident(pid: int) -> int:
    """MiB of a process."""
    return int(psutil.Process(pid).memory_info().rss / 2**20)


def look(playwright: Playwright, port: int) -> tuple[int, float]:
    """Moves so far, and MiB of JavaScript objects."""
    browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
    page = browser.contexts[0].pages[0]
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    found = int(page.evaluate("window.walked")), devtools.send("Runtime.getHeapUsage")["usedSize"] / 2**20
    browser.close()
    return found


def start(playwright: Playwright, port: int, url: str, images: int) -> int:
    """Open the first image and set off; the process id of the tab."""
    while True:
        try:
            browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
            break
        except Error:
            time.sleep(0.2)
    page = hook(browser.contexts[0].pages[0])
    page.goto(url)
    settle(page)
    page.locator("#annotator .queue .tile").first.click()
    page.wait_for_function(f"() => {HOOK}.state().image?.name === '0.jpg'")
    settle(page)
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    tab = max((each["id"] for each in found["processInfo"] if each["type"] == "renderer"), key=resident)
    page.evaluate(f"(images) => void ({WALK})(images)", images)
    browser.close()
    return int(tab)


def main() -> None:
    """Build the project, walk through it, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--moves", type=int, default=800)
    options = parser.parse_args()
    rows: list[tuple[int, int, float, int]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = Settings(data_dir=Path(folder), model="nano", compile=False)
        space = Workspace(settings, Store(settings.store_url), LocalSegmenter(settings))
        build(space, options.images, 20)
        space.segmenter.close()
        server = Server(Path(folder))
        server.start()
        assert server.process is not None
        port = free_port()
        own = ("--window-size=1280,800", f"--remote-debugging-port={port}", f"--user-data-dir={folder}/browser")
        browser = subprocess.Popen([CHROMIUM, *ARGUMENTS, *own, "about:blank"], stderr=subprocess.DEVNULL)
        tab = start(playwright, port, f"http://127.0.0.1:{server.port}", options.images)
        while not rows or rows[-1][0] < options.moves:
            time.sleep(STRETCH)
            moves, heap = look(playwright, port)
            rows.append((moves, resident(tab), round(heap, 1), resident(server.process.pid)))
        browser.kill()
        browser.wait()
        server.kill()
    print(json.dumps({"columns": ["moves", "tab_mib", "js_heap_mib", "server_mib"], "rows": rows}))


if __name__ == "__main__":
    main()
