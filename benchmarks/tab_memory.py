"""Memory of the tab and of the server while someone moves through 200 images with 20 objects each.

python -m benchmarks.tab_memory --moves 200
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from annotator.segmenter import Segmenter
from annotator.settings import Settings
from annotator.store import Store
from annotator.workspace import Workspace
from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, settle
from benchmarks.crash import Server
from benchmarks.scale import build

EVERY = 20


def resident(pid: int) -> int:
    """MiB of a process."""
    return int(psutil.Process(pid).memory_info().rss / 2**20)


def main() -> None:
    """Build the project, walk through it, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=200)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = Settings(data_dir=Path(folder), model="nano", compile=False)
        space = Workspace(settings, Store(settings.store_url), Segmenter(settings))
        build(space, options.moves + 1, 20)
        space.segmenter.close()
        server = Server(Path(folder))
        server.start()
        assert server.process is not None
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{server.port}")
        settle(page)
        page.locator("#annotator .queue .tile").first.click()
        page.wait_for_function(f"() => {HOOK}.state().image?.name === '0.jpg'")
        settle(page)
        found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
        tabs = [each["id"] for each in found["processInfo"] if each["type"] == "renderer"]
        tab = max(tabs, key=resident)
        devtools = page.context.new_cdp_session(page)
        for move in range(1, options.moves + 1):
            before = page.evaluate(f"() => {HOOK}.state().image.id")
            page.keyboard.press("d")
            page.wait_for_function(f"(id) => {HOOK}.state().image?.id !== id", arg=before)
            settle(page)
            if move % EVERY == 0:
                devtools.send("HeapProfiler.collectGarbage")
                heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 2**20
                rows.append((move, resident(tab), round(heap, 1), resident(server.process.pid)))
        browser.close()
        server.kill()
    print(json.dumps({"columns": ["moves", "tab_mib", "js_heap_mib", "server_mib"], "rows": rows}))


if __name__ == "__main__":
    main()
