"""The objects of a photo, marked in each of four ways by a scripted user on the real page: what does each way cost?

    python -m benchmarks.ways DIR fruits_5 nuclei_53ad09e4348767be --url http://127.0.0.1:7860 --out ways.json

DIR holds images/ and masks/ as for `annotator eval`; the masks tell where to click. The user marks the largest kind of
object of each photo: one by one; in the mode "many"; from a CSV file of boxes, which come from elsewhere and cost
nothing here; and with "all like this one", where the user drops what is wrong, and clicks what is missing. Nobody
corrects a mask. `seconds` are the page's and the script's; `person` adds what a practised hand takes by the
keystroke-level model (Card, Moran & Newell 1980): 1.3 s to point and click, 0.28 s a key.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from annotator.cli.evaluate import LabelledPhoto, read_photos
from annotator.masks.geometry import farthest_point
from annotator.types import BoolArray
from benchmarks import machine
from benchmarks.browser import ARGUMENTS, CHROMIUM, HOOK, new_page, on_page, settle
from benchmarks.kinds import kinds_of

CLICK_S, KEY_S = 1.3, 0.28
FOUND = 0.5
"""IoU from which on a kept object is one of the wanted ones."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way took on one photo. `miou` is of the wanted objects, `others` are kept objects that nobody wanted."""

    photo: str
    way: str
    objects: int
    clicks: int
    keys: int
    seconds: float
    person: float
    miou: float
    others: int


class User:
    """Hands that count. `wanted` are the masks of the objects to mark, bool [height, width]."""

    def __init__(self, page: Page, name: str, wanted: list[BoolArray]) -> None:
        self.page, self.name, self.wanted = page, name, wanted
        self.clicks = self.keys = 0
        self.spots = [spot_of(mask) for mask in wanted]

    def click(self, at: tuple[float, float], button: Any = "left") -> None:
        """Click an image point; the mask may be on its way yet."""
        self.page.mouse.click(*on_page(self.page, *at), button=button)
        self.clicks += 1

    def press(self, *keys: str) -> None:
        """Press keys, each when what came before is there."""
        for key in keys:
            settle(self.page)
            self.page.keyboard.press(key)
            self.keys += 1

    def until(self, condition: str) -> None:
        """Wait for a condition on the page's state `s`."""
        self.page.wait_for_function(f"() => {{ const s = {HOOK}.state(); return {condition}; }}")

    def masks(self, which: str) -> list[BoolArray]:
        """The masks of the kept objects, or of what waits for review."""
        script = f"() => {{ const s = {HOOK}.state(); return s.{which}.map((item) => item.mask); }}"
        runs = self.page.evaluate(script)
        return [full(each, self.wanted[0].shape) for each in runs]


def spot_of(mask: BoolArray) -> tuple[float, float]:
    """The point of a mask farthest from its border."""
    deepest = farthest_point(mask)
    assert deepest, "a region has pixels"
    return deepest[0] + 0.5, deepest[1] + 0.5


def full(runs: dict[str, Any], shape: tuple[int, ...]) -> BoolArray:
    """A mask of the page as bool [height, width]."""
    whole = np.zeros(shape, np.bool_)
    crop = np.repeat(np.arange(len(runs["runs"])) % 2 == 1, runs["runs"]).reshape(runs["h"], runs["w"])
    whole[runs["y"] : runs["y"] + runs["h"], runs["x"] : runs["x"] + runs["w"]] = crop
    return whole


def iou(a: BoolArray, b: BoolArray) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max(1, (a | b).sum()))


Look = Callable[[], None]
"""Called when the way shows what it does."""


def one_by_one(user: User, look: Look) -> None:
    """A click and Enter each."""
    for spot in user.spots:
        user.click(spot)
        settle(user.page)
        if spot == user.spots[len(user.spots) // 2]:
            look()
        user.press("Enter")


def many(user: User, look: Look) -> None:
    """A click each, and one Enter."""
    user.press("c")
    for spot in user.spots:
        user.click(spot)
    settle(user.page)
    look()
    user.press("Enter", "Escape")


def boxes(user: User, look: Look) -> None:
    """A file with the box of each object, and one Enter."""
    lines = ["image,x0,y0,x1,y1"]
    for mask in user.wanted:
        rows, columns = np.nonzero(mask)
        lines.append(f"{user.name},{columns.min()},{rows.min()},{columns.max() + 1},{rows.max() + 1}")
    with user.page.expect_file_chooser() as chooser:
        user.page.click('#annotator .bar .button:has-text("Import")')
    user.clicks += 2  # the second one chooses the file
    chooser.value.set_files({"name": "boxes.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()})
    user.until("s.review?.state === 'done'")
    look()
    user.press("Enter")


def all_like_one(user: User, look: Look) -> None:
    """The object of middle size is kept as the example. What is found and wrong is dropped, what is missing clicked."""
    example = sorted(range(len(user.wanted)), key=lambda i: user.wanted[i].sum())[len(user.wanted) // 2]
    user.click(user.spots[example])
    user.press("Enter", ".", "k")
    user.until("s.review === null || s.review.state !== 'running'")
    look()
    shown = "review.proposals.filter((item) => item.similarity >= s.review.filter.similarity)"
    if user.page.evaluate(f"() => {HOOK}.state().review !== null"):
        found = user.masks(shown)
        wrong = [each for each in found if max(iou(each, mask) for mask in user.wanted) < FOUND]
        for each in wrong:
            user.page.mouse.move(*on_page(user.page, *spot_of(each)))
            user.click(spot_of(each), button="right")
        user.press("Enter" if len(wrong) < len(found) else "Escape")
        user.until("s.review === null && s.annotations.every((item) => !item.pending)")
    kept = user.masks("annotations")
    for mask, spot in zip(user.wanted, user.spots, strict=True):
        if max(iou(mask, each) for each in kept) < FOUND:
            user.click(spot)
            user.press("Enter")


WAYS: dict[str, Callable[[User, Look], None]] = {
    "one by one": one_by_one,
    "many": many,
    "boxes of a file": boxes,
    "all like this one": all_like_one,
}


def open_photo(page: Page, url: str, name: str, photo: LabelledPhoto) -> None:
    """The photo, encoded, in a project of its own."""
    page.goto(url)
    page.wait_for_selector('#annotator[data-ready="true"]')
    page.click("#annotator .button.project")
    page.fill('#annotator [aria-label="New project"]', f"{name} {time.time_ns()}")
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => {{ const s = {HOOK}.state(); return s.booted && s.image === null; }}")
    data = io.BytesIO()
    Image.fromarray(photo.pixels).save(data, "PNG")
    page.set_input_files(
        '#annotator input[type="file"]', {"name": name, "mimeType": "image/png", "buffer": data.getvalue()}
    )
    settle(page)
    page.locator("#annotator .canvas-box").focus()


def measure(
    browser: Browser, url: str, name: str, way: str, photo: LabelledPhoto, wanted: list[BoolArray], picture: Path | None
) -> Cost:
    """Mark the wanted objects of a photo in one way."""
    page = new_page(browser, viewport={"width": 1280, "height": 800})
    open_photo(page, url, f"{name}.png", photo)
    user, looked = User(page, f"{name}.png", wanted), 0.0

    def look() -> None:
        nonlocal looked
        if picture:
            began = time.perf_counter()
            page.wait_for_timeout(300)
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            shot.resize((960, 600), Image.Resampling.LANCZOS).save(picture, quality=82, optimize=True)
            looked += time.perf_counter() - began

    began = time.perf_counter()
    WAYS[way](user, look)
    settle(page)
    user.until("s.annotations.length > 0 && s.annotations.every((item) => !item.pending)")
    seconds = time.perf_counter() - began - looked
    kept = user.masks("annotations")
    page.close()
    best = [max(iou(mask, each) for each in kept) for mask in wanted]
    others = sum(max(iou(mask, each) for mask in wanted) < FOUND for each in kept)
    person = seconds + CLICK_S * user.clicks + KEY_S * user.keys
    return Cost(
        photo=name,
        way=way,
        objects=len(wanted),
        clicks=user.clicks,
        keys=user.keys,
        seconds=round(seconds, 1),
        person=round(person, 1),
        miou=round(float(np.mean(best)), 3),
        others=others,
    )


def largest_kind(photo: LabelledPhoto, kinds: dict[int, int]) -> list[BoolArray]:
    """The masks of the kind that most regions of a photo are of."""
    numbers = list(kinds.values())
    chosen = max(sorted(set(numbers)), key=numbers.count)
    return [photo.ids == region for region, kind in kinds.items() if kind == chosen]


def table(costs: list[Cost]) -> str:
    """As Markdown."""
    lines = ["| photo | way | objects | clicks | keys | page, s | person, s | mIoU | others kept |", "| --- " * 9 + "|"]
    lines += [
        f"| {each.photo} | {each.way} | {each.objects} | {each.clicks} | {each.keys} | {each.seconds} | {each.person} "
        f"| {each.miou:.3f} | {each.others} |"
        for each in costs
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table; with --out, write all figures to a file; with --pictures, show each way on the last photo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("photos", nargs="+", help="names without suffix")
    parser.add_argument("--url", required=True)
    parser.add_argument("--kinds", type=int, default=1, help="kinds of objects of all photos, by colour and size")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    names = [path.stem for path in sorted((options.folder / "images").glob("*.jpg"))]
    read = dict(zip(names, read_photos(options.folder), strict=True))
    sources = {read[name].source for name in options.photos}
    related = {name: photo for name, photo in read.items() if photo.source in sources}
    kinds = dict(zip(related, kinds_of(list(related.values()), options.kinds), strict=True))
    costs = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for name in options.photos:
            wanted = largest_kind(read[name], kinds[name])
            for number, way in enumerate(WAYS, start=1):
                picture = options.pictures / f"{number}-{way.replace(' ', '-')}.jpg" if options.pictures else None
                costs.append(measure(browser, options.url, name, way, read[name], wanted, picture))
                print(costs[-1], flush=True)
        browser.close()
    print(table(costs))
    if options.out:
        place = {"machine": machine.describe(torch.device("cpu")), "commit": machine.commit()}
        record = {"costs": [asdict(each) for each in costs], "kinds": options.kinds, **place}
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
