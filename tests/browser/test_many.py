"""Many objects at once: in the mode "many", from boxes of a file, and by searching for all that is alike."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from driver import EXECUTABLE, Annotator, browser_page, new_project, next_name, tints
from numpy.typing import NDArray
from PIL import Image, ImageDraw

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")

COINS = [(60, 70), (160, 60), (265, 75), (370, 65), (90, 200), (210, 210), (340, 205)]
RADIUS = 30
TILES = [(150, 135), (290, 140)]
DRAWN_AT = """(spots) => {
  const canvas = document.querySelector('#annotator canvas.overlay');
  const { left, top } = canvas.getBoundingClientRect();
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return spots.map(([x, y]) => data[4 * (Math.round(y - top) * canvas.width + Math.round(x - left)) + 3] > 0);
}"""


def coins() -> bytes:
    """A photo of bright coins and two blue tiles on a dark table."""
    image = Image.new("RGB", (440, 290), (40, 44, next(tints) % 60))
    draw = ImageDraw.Draw(image)
    for x, y in COINS:
        draw.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), (214, 176, 92), outline=(120, 90, 40), width=3)
    for x, y in TILES:
        draw.rectangle((x - 22, y - 16, x + 22, y + 16), (60, 120, 230), outline=(20, 40, 120), width=3)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


def disc(x: int, y: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:290, :440]
    return np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= RADIUS


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def opened(server_url: str) -> Iterator[Annotator]:
    """One page for all tests; each has a photo of its own."""
    with browser_page(server_url) as page:
        yield page


@pytest.fixture
def photo(opened: Annotator) -> Annotator:
    opened.upload((f"{next_name('coins')}.jpg", coins()))
    return opened


def kept_coins(page: Annotator, count: int) -> list[int]:
    """The coins of so many kept objects, by what is drawn."""
    page.until(f"annotations.filter((item) => !item.pending).length === {count}")
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
    assert sorted(kept_coins(photo, 4)) == [0, 1, 2, 3]
    photo.press("Control+z")
    photo.until("annotations.length === 0")
    photo.press("Control+Shift+z")
    photo.until("annotations.length === 4")
    photo.press("Escape")
    assert not photo.state("many")


def test_boxes_of_a_file_become_masks_under_the_labels_of_their_classes(photo: Annotator) -> None:
    lines = ["image,x0,y0,x1,y1,class"]
    for at, (x, y) in enumerate(COINS[:4]):
        lines.append(f"{photo.state('image.name')},{x - 32},{y - 32},{x + 32},{y + 32},{'dime' if at else 'penny'}")
    upload = {"name": "boxes.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    photo.page.set_input_files('#annotator input[aria-label="Image files"]', upload)  # type: ignore[arg-type]
    photo.until("review?.state === 'done'")
    assert photo.state("review.proposals.map((item) => item.category)") == ["penny", "dime", "dime", "dime"]
    photo.page.mouse.move(*photo.at(*COINS[3]))
    photo.press("x", "Enter")
    assert kept_coins(photo, 3) == [0, 1, 2]
    labels = {each["id"]: each["name"] for each in photo.state("labels")}
    assert [labels[each] for each in photo.state("annotations.map((item) => item.label_id)")] == [
        "penny",
        "dime",
        "dime",
    ]


def test_all_that_is_like_a_kept_object_is_found_here_and_in_the_next_image(photo: Annotator) -> None:
    photo.upload((f"{next_name('coins')}.jpg", coins()))
    photo.press("a")
    photo.click(*COINS[0])
    photo.press("Enter")
    kept_coins(photo, 1)
    photo.press(".", "k")
    photo.until("review?.state === 'done'")
    assert photo.page.get_by_label("Similar ≥").input_value() == "0.6"
    photo.press("c")
    photo.toast("Finish the review first")
    assert not photo.state("many")
    photo.press("Enter")
    assert sorted(kept_coins(photo, len(COINS))) == list(range(len(COINS)))
    photo.press("Shift+K")
    photo.until("review?.state === 'done'")
    photo.press("Enter")
    assert sorted(kept_coins(photo, len(COINS))) == list(range(len(COINS)))


def test_a_label_is_suggested_by_kept_objects_and_taken_with_a_key(opened: Annotator) -> None:
    new_project(opened)  # coins of other photos have other labels
    opened.until("image === null")
    opened.upload((f"{next_name('coins')}.jpg", coins()))
    photo = opened
    for name, spot in ((next_name("coin"), COINS[0]), (next_name("tile"), TILES[0])):
        photo.page.fill('#annotator [aria-label="New label"]', name)
        photo.page.keyboard.press("Enter")
        photo.click(*spot)
        photo.press("Enter")
    coin, tile = photo.state("labels.slice(-2).map((label) => label.id)")
    photo.until("annotations.filter((item) => !item.pending).length === 2")  # the server has something to compare with
    photo.click(*COINS[1])
    photo.says("#annotator .suggestion", "coin")
    assert photo.state("labelId") == tile
    photo.press("y")
    assert photo.page.locator("#annotator .suggestion").is_hidden()
    photo.press("Enter")
    kept_coins(photo, 3)
    assert photo.state("annotations.map((item) => item.label_id)") == [coin, tile, coin]
