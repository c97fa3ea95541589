"""The page in a real browser against a real server: one behaviour a test, each on an image of its own."""

from __future__ import annotations

import json
import re
from typing import Any

import cv2
import numpy as np
import pytest
from driver import CAT, COFFEE, EXECUTABLE, Annotator, browser_page, photo, tints, with_photo
from pycocotools import mask as mask_of

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")


def exported(page: Annotator) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(page.export().read_text())
    return loaded


def test_from_upload_to_coco(page: Annotator) -> None:
    page.upload(("rotated.jpg", photo(COFFEE, 2000, 1500, orientation=6)))
    assert (page.state("image.width"), page.state("image.height")) == (1500, 2000)

    page.click(750, 900)
    first = page.mask()
    assert first.any()
    page.click(1450, 50, button="right")
    assert not np.array_equal(page.mask(), first)
    page.press("Enter")
    page.drag((300, 1100), (900, 1700))
    assert page.mask().any()
    page.press("Enter")
    assert page.state("annotations.length") == 2

    proposals = page.auto_mask()
    if proposals:
        page.page.click("#annotator .review .primary")
        page.appears("#annotator .review[hidden]")
        page.settled()
    ids = page.state("annotations.map((a) => a.id)")
    assert len(ids) == 2 + proposals

    page.reload()
    assert page.state("image.name") == "rotated.jpg"
    assert page.state("annotations.map((a) => a.id)") == ids

    coco = exported(page)
    image = next(item for item in coco["images"] if item["file_name"] == "rotated.jpg")
    assert (image["width"], image["height"]) == (1500, 2000)
    written = [item for item in coco["annotations"] if item["image_id"] == image["id"]]
    assert len(written) == len(ids)
    for annotation_id, item in zip(ids, written, strict=True):
        decoded = mask_of.decode(item["segmentation"]).astype(bool)
        np.testing.assert_array_equal(page.mask(annotation_id), decoded)


def test_the_canvas_pixels_are_the_exported_mask(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.press("Enter", "Escape")
    cat.page.click('#annotator [aria-label="View"]')
    cat.page.select_option("#annotator .view-menu select >> nth=0", "fill")
    cat.page.keyboard.press("Escape")
    cat.page.mouse.move(5, 5)
    cat.show_at_full_size(0, 0)
    name = cat.state("image.name")
    coco = exported(cat)
    image = next(item for item in coco["images"] if item["file_name"] == name)
    item = next(item for item in coco["annotations"] if item["image_id"] == image["id"])
    np.testing.assert_array_equal(cat.drawn(451, 300), mask_of.decode(item["segmentation"]).astype(bool))


def test_candidates_and_prompt_undo(cat: Annotator) -> None:
    cat.click(200, 150)
    first = cat.mask()
    count = cat.state("draft.now.reply.candidates.length")
    assert count > 1 and cat.page.locator("#annotator .chip").count() == count
    cat.press("Tab")
    assert cat.state("draft.now.index") == 1 and not np.array_equal(cat.mask(), first)
    cat.press("Shift+Tab")
    assert np.array_equal(cat.mask(), first)
    cat.click(20, 20, button="right")
    assert cat.state("draft.now.points.map((p) => p[2])") == [1, 0]
    assert cat.state("draft.now.base") is not None
    cat.press("Control+z")
    assert cat.state("draft.now.points.length") == 1 and np.array_equal(cat.mask(), first)
    cat.press("Control+z")
    assert cat.state("draft.now") is None
    cat.press("Control+Shift+z")
    assert np.array_equal(cat.mask(), first)
    cat.press("Escape")
    assert cat.state("draft.now") is None and cat.state("annotations.length") == 0


def test_shift_click_is_negative_and_alt_click_removes(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.page.keyboard.down("Shift")
    cat.click(430, 20)
    cat.page.keyboard.up("Shift")
    assert cat.state("draft.now.points.map((p) => p[2])") == [1, 0]
    cat.page.keyboard.down("Alt")
    cat.click(430, 20)
    cat.page.keyboard.up("Alt")
    assert cat.state("draft.now.points.length") == 1


def test_a_box_and_points_ask_together_and_alt_click_takes_one_back(cat: Annotator) -> None:
    cat.drag((60, 20), (400, 280))
    box, boxed = cat.state("draft.now.box"), cat.mask()
    assert box == pytest.approx([60, 20, 400, 280], abs=1) and boxed.any()
    with cat.page.expect_request("**/prompt") as asked:
        cat.click(20, 20, button="right")
    assert asked.value.post_data_json["box"] == box
    assert [each[2] for each in asked.value.post_data_json["points"]] == [0]
    cat.page.keyboard.down("Alt")
    cat.click(20, 20)
    cat.page.keyboard.up("Alt")
    assert cat.state("draft.now.points") == [] and cat.state("draft.now.box") == box
    np.testing.assert_array_equal(cat.mask(), boxed)


def test_outlines_leave_the_inside_of_a_mask_clear_and_opacity_fills_it(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.press("Enter", "Escape")
    cat.page.mouse.move(5, 5)
    mask = cat.mask(cat.state("annotations[0].id"))
    inside = cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((15, 15), np.uint8))[1:-1, 1:-1].astype(bool)
    assert inside.any()
    view = cat.page.locator("#annotator .view-menu")
    cat.page.click('#annotator [aria-label="View"]')
    drawn = {}
    for style in ("outline", "fill"):
        view.locator("select").first.select_option(style)
        cat.show_at_full_size(0, 0)
        drawn[style] = cat.drawn(451, 300)
    assert drawn["outline"].any() and not (drawn["outline"] & inside).any()
    np.testing.assert_array_equal(drawn["fill"], mask)
    view.get_by_label("Mask opacity").fill("0")
    cat.show_at_full_size(0, 0)
    assert not cat.drawn(451, 300).any()


def test_the_journal_is_undone_when_nothing_is_in_progress(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.press("n")
    cat.press("Control+z")
    assert cat.state("annotations.length") == 0
    cat.press("Control+Shift+z")
    assert cat.state("annotations.length") == 1
    cat.press(".", "Delete")
    assert cat.state("annotations.length") == 0
    cat.press("Control+z")
    assert cat.state("annotations.length") == 1


def test_labels_by_field_key_and_list(cat: Annotator) -> None:
    cat.press("l")
    name = f"cat {next(tints)}"
    cat.page.keyboard.type(name)
    cat.page.keyboard.press("Enter")
    cat.says("#annotator .label-row.chosen", name)
    cat.click(200, 150)
    cat.press("Enter")
    label = cat.state("labelId")
    assert cat.state("annotations[0].label_id") == label
    cat.press(".", "1")
    assert cat.state("annotations[0].label_id") == cat.state("labels[0].id") != label
    cat.press("Control+z")
    assert cat.state("annotations[0].label_id") == label


def test_the_chosen_label_stays_chosen(cat: Annotator) -> None:
    names = [f"{name} {next(tints)}" for name in ("first", "second", "third")]
    for name in names:
        cat.page.fill('#annotator [aria-label="New label"]', name)
        cat.page.keyboard.press("Enter")
        cat.settled()
    chosen = cat.state(f"labels.find((label) => label.name === '{names[1]}').id")
    cat.page.click(f'#annotator .label-row:has-text("{names[1]}") .name')
    cat.until(f"labelId === {chosen}")
    cat.reload()
    assert cat.state("labelId") == chosen


def test_typing_in_a_field_triggers_nothing(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.page.click('#annotator [aria-label="New label"]')
    cat.page.keyboard.type("n d a f ? 1 ")
    assert cat.state("draft.now") is not None and cat.state("annotations.length") == 0
    assert cat.page.locator("dialog[open]").count() == 0


def test_without_a_mouse(page: Annotator) -> None:
    with_photo(page)
    assert page.page.evaluate("document.activeElement.className") == "canvas-box"
    page.press("ArrowUp", "ArrowLeft", "p")
    assert page.state("draft.now.points.length") == 1
    page.press("Shift+ArrowRight", "Shift+P")
    assert page.state("draft.now.points.map((p) => p[2])") == [1, 0]
    page.press("Tab", "Enter")
    assert page.state("annotations.length") == 1
    page.press("r", *["Shift+ArrowDown"] * 3, *["Shift+ArrowRight"] * 3, "r")
    assert page.state("draft.now.box") is not None
    page.press("Enter", ".", "Delete", "Control+z")
    assert page.state("annotations.length") == 2
    page.press("?")
    assert page.page.locator("dialog[open]").count() == 1
    page.press("Escape")
    assert page.page.evaluate("document.activeElement.className") == "canvas-box"


def test_objects_are_hidden_selected_and_deleted_from_the_list(cat: Annotator) -> None:
    for x in (200, 330):
        cat.click(x, 150)
        cat.press("Enter")
    cat.page.click('#annotator .object >> nth=0 >> [aria-label="Hide"]')
    assert cat.page.locator("#annotator .object.dim").count() == 1
    cat.page.click("#annotator .object >> nth=1 >> .name")
    assert cat.state("selection.length") == 1
    cat.page.click('#annotator .object >> nth=0 >> [aria-label="Delete"]')
    cat.settled()
    assert cat.state("annotations.length") == 1
    cat.page.click('#annotator .toast .button:has-text("Undo")')
    cat.until("annotations.length === 2")


def test_the_keys_work_on_after_a_button_beside_the_canvas(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.press("Enter")
    focused = "document.activeElement.className"
    for button in ('.object [aria-label="Hide"]', '.object [aria-label="Show"]', '[aria-label="Hide or show all"]'):
        cat.page.click(f"#annotator {button}")
        assert cat.page.evaluate(focused) == "canvas-box", button
    cat.press(".", "e", "Enter")
    assert cat.state("history.undo") == "keep object", "a correction that changes nothing is no step"
    cat.press("Delete")
    cat.page.click('#annotator .toast .button:has-text("Undo")')
    assert cat.page.evaluate(focused) == "canvas-box"
    cat.until("annotations.length === 1")
    cat.page.click('#annotator .toast [aria-label="Dismiss"] >> nth=0')
    assert cat.page.evaluate(focused) == "canvas-box"


def test_keys_work_wherever_the_mouse_was_last(cat: Annotator) -> None:
    name = cat.state("image.name")
    with_photo(cat)
    cat.page.click("#annotator .status-button")
    cat.until("image.status === 'done'")
    cat.press("Enter")
    assert cat.state("image.status") == "done", "Enter is for the canvas"
    cat.page.mouse.click(1270, 700)  # an empty place of the side panel
    cat.press("a")
    assert cat.state("image.name") == name
    cat.click(200, 150)
    cat.page.click('#annotator [aria-label="View"]')
    cat.press("Escape")
    assert cat.page.locator('#annotator [aria-label="View"]').get_attribute("aria-expanded") == "false"
    assert cat.state("draft.now") is not None, "the panel is closed first"
    cat.press("Escape")
    assert cat.state("draft.now") is None


def test_many_bad_uploads_are_listed_together_and_stay(page: Annotator) -> None:
    names = [f"bad{i}.jpg" for i in range(8)]
    page.upload(*((name, b"words") for name in names), wait=False)
    page.toast("8 could not be added")
    words = page.page.locator('#annotator .toast:has-text("8 could not be added")').inner_text()
    assert all(name in words for name in names)


def test_bad_uploads_are_named_and_the_page_lives(page: Annotator) -> None:
    good = (f"good-{next(tints)}.jpg", photo(CAT, 451, 300, tint=next(tints)))
    page.upload(("words.jpg", b"these are words"), ("empty.png", b""), wait=False)
    page.toast("words.jpg")
    page.toast("empty.png")
    page.upload(good)
    page.click(200, 150)
    assert page.mask().any()


def test_the_queue_moves_with_a_and_d_and_keeps_unfinished_work(page: Annotator) -> None:
    first, second = (f"queue-{next(tints)}.jpg" for _ in range(2))
    page.upload(*((name, photo(CAT, 451, 300, tint=next(tints))) for name in (first, second)))
    page.appears(f'#annotator .tile[title^="{second}"]')
    page.settled()
    page.click(200, 150)
    page.press("d")
    assert page.state("image.name") == second and page.state("draft.now") is None
    page.press("a")
    assert page.state("image.name") == first and page.state("draft.now.points.length") == 1


def test_moving_between_images_leaves_no_elements_behind(page: Annotator) -> None:
    for _ in range(2):
        tint = next(tints)
        page.upload((f"moving-{tint}.jpg", photo(CAT, 451, 300, tint=tint)))
        page.click(200, 150)
        page.press("Enter", "Escape")
    devtools = page.page.context.new_cdp_session(page.page)

    def elements() -> int:
        for _ in range(5):
            page.press("a", "d")
        devtools.send("HeapProfiler.collectGarbage")
        return int(devtools.send("Memory.getDOMCounters")["nodes"])

    elements()
    before = elements()
    assert elements() <= before + 10  # each move left 9 nodes of a tile, and more of an object's row


def test_an_image_is_removed_and_brought_back(cat: Annotator) -> None:
    image, name = cat.state("image.id"), cat.state("image.name")
    cat.page.click(f'#annotator [aria-label="Remove {name}"]')
    cat.until(f"image?.id !== '{image}'")
    cat.toast("Image removed")
    cat.page.click('#annotator .toast .button:has-text("Undo")')
    cat.until(f"image?.id === '{image}'")


def test_an_image_comes_back_where_it_was(cat: Annotator) -> None:
    first = cat.state("image.name")
    cat.click(200, 150)
    cat.press("Enter")
    with_photo(cat)
    order = cat.state("images.map((image) => image.id)")
    cat.page.click(f'#annotator [aria-label="Remove {first}"]')
    cat.toast("Image removed, with 1 object.")
    cat.page.click('#annotator .toast .button:has-text("Undo")')
    cat.until(f"images.length === {len(order)}")
    assert cat.state("images.map((image) => image.id)") == order


def test_zoom_keeps_the_point_under_the_pointer(cat: Annotator) -> None:
    assert cat.page.locator('#annotator .status .zoom:has-text("%")').is_visible()
    spot = cat.at(300, 100)
    cat.page.mouse.move(*spot)
    cat.page.mouse.wheel(0, -300)
    cat.settled()
    after = cat.at(300, 100)
    assert max(abs(a - b) for a, b in zip(spot, after, strict=True)) <= 1
    cat.page.keyboard.down("Space")
    cat.page.mouse.down()
    cat.page.mouse.move(spot[0] + 50, spot[1] + 30)
    cat.page.mouse.up()
    cat.page.keyboard.up("Space")
    cat.settled()
    moved = cat.at(300, 100)
    assert (round(moved[0] - after[0]), round(moved[1] - after[1])) == (50, 30)
    assert cat.state("draft.now") is None
    cat.press("f")
    assert cat.at(300, 100) != moved


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_theme_follows_the_system(server_url: str, scheme: str, is_dark: bool) -> None:
    with browser_page(server_url, color_scheme=scheme) as page:
        color = page.page.evaluate("() => getComputedStyle(document.querySelector('#annotator .bar')).backgroundColor")
        brightness = sum(int(part) for part in re.findall(r"\d+", color)[:3]) / 3
        assert (brightness < 128) == is_dark


def test_a_phone(server_url: str) -> None:
    with browser_page(server_url, 390, 844, has_touch=True, is_mobile=True) as page:
        with_photo(page)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
        page.page.touchscreen.tap(*page.at(200, 150))
        page.settled()
        page.page.click('#annotator .rail [aria-label^="Points beside"]')
        page.page.touchscreen.tap(*page.at(430, 20))
        page.settled()
        assert page.state("draft.now.points.map((p) => p[2])") == [1, 0]
        page.page.click('#annotator .candidate-bar .button:has-text("Keep")')
        page.settled()
        assert page.state("annotations.length") == 1
        for selector in (".rail", ".candidate-bar", ".bar", ".strip"):
            box = page.page.locator(f"#annotator {selector}").bounding_box()
            assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= 390)


def test_a_chosen_theme_is_remembered(server_url: str) -> None:
    background = "() => getComputedStyle(document.querySelector('#annotator .bar')).backgroundColor"
    with browser_page(server_url, color_scheme="light") as page:
        light = page.page.evaluate(background)
        page.page.click('#annotator [aria-label="View"]')
        page.page.get_by_label("Theme").select_option("dark")
        dark = page.page.evaluate(background)
        assert dark != light
        page.reload()
        assert page.page.evaluate(background) == dark
        page.page.click('#annotator [aria-label="View"]')
        page.page.get_by_label("Theme").select_option("system")
        assert page.page.evaluate(background) == light
        page.page.emulate_media(color_scheme="dark")
        assert page.page.evaluate(background) == dark


def test_removed_images_leave_no_tile_behind(page: Annotator) -> None:
    with_photo(page)
    devtools = page.page.context.new_cdp_session(page.page)

    def elements() -> int:
        """Nodes that are alive, also those outside the page, after two images have come and gone."""
        for _ in range(2):
            with_photo(page)
            name = page.state("image.name")
            page.page.click(f'#annotator [aria-label="Remove {name}"]')
            page.until(f"image?.name !== '{name}'")
            page.page.click('#annotator .toast [aria-label="Dismiss"]')
        page.settled()
        devtools.send("HeapProfiler.collectGarbage")
        return int(devtools.send("Memory.getDOMCounters")["nodes"])

    elements()  # what is made once is made now
    before = elements()
    assert elements() <= before + 10  # a tile has 9 nodes
