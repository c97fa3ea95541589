"""Many objects at once: in the mode "many", from boxes of a file, and by searching for all that is alike."""

from __future__ import annotations

import io

import numpy as np
import pytest
from driver import EXECUTABLE, Annotator, next_name, tints
from numpy.typing import NDArray
from PIL import Image, ImageDraw

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")

COINS = [(60, 70), (160, 60), (265, 75), (370, 65), (90, 200), (210, 210), (340, 205)]
RADIUS = 30
DRAWN_AT = """(spots) => {
  const canvas = document.querySelector('#annotator canvas.overlay');
  const { left, top } = canvas.getBoundingClientRect();
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return spots.map(([x, y]) => data[4 * (Math.round(y - top) * canvas.width + Math.round(x - left)) + 3] > 0);
}"""


def coins() -> bytes:
    """A photo of bright discs on a dark table."""
    image = Image.new("RGB", (440, 290), (40, 44, next(tints) % 60))
    draw = ImageDraw.Draw(image)
    for x, y in COINS:
        draw.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), (214, 176, 92), outline=(120, 90, 40), width=3)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


def disc(x: int, y: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:290, :440]
    return np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= RADIUS


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture
def photo(page: Annotator) -> Annotator:
    page.upload((f"{next_name('coins')}.jpg", coins()))
    return page


def kept_coins(page: Annotator) -> list[int]:
    """The coins of the kept objects, by what is drawn."""
    page.until("annotations.every((item) => !item.pending)")
    masks = [page.mask(each) for each in page.state("annotations.map((item) => item.id)")]
    return [next((at for at, spot in enumerate(COINS) if iou(mask, disc(*spot)) > 0.8), -1) for mask in masks]


def test_each_click_is_an_object_and_all_are_kept_and_undone_together(photo: Annotator) -> None:
    photo.press("c")
    for x, y in COINS[:3]:
        photo.page.mouse.click(*photo.at(x, y))
    photo.drag((COINS[3][0] - 34, COINS[3][1] - 34), (COINS[3][0] + 34, COINS[3][1] + 34))
    assert photo.page.locator('#annotator .many .count:has-text("4")').count() == 1
    spots = [photo.at(x, y + RADIUS // 2) for x, y in COINS[:5]]  # below the marks of the clicks
    assert photo.page.evaluate(DRAWN_AT, spots) == [True, True, True, True, False]

    photo.click(*COINS[0], button="right")
    assert photo.state("draft.now.points.map((point) => point[2])") == [1, 0]
    photo.press("Control+z")
    photo.press("Escape")
    assert photo.state("draft.now") is None
    photo.press("Control+z")
    photo.press("Enter")
    assert sorted(kept_coins(photo)) == [0, 1, 2, 3]
    photo.press("Control+z")
    photo.until("annotations.length === 0")
    photo.press("Control+Shift+z")
    photo.until("annotations.length === 4")
