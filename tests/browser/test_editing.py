"""Correcting what was kept, and the comforts: brush, merge, split, preview, keymaps, view."""

from __future__ import annotations

import io

import numpy as np
import pytest
from driver import CAT, EXECUTABLE, Annotator, arrived, held, next_name, photo, release, tints
from PIL import Image

from benchmarks.fine_detail import iou

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """The pixels of a 451 x 300 image whose centres lie within a circle."""
    rows, columns = np.mgrid[:300, :451] + 0.5
    return np.hypot(columns - x, rows - y) <= radius


def painted(page: Annotator, *lines: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """A new object painted with the brush, kept."""
    page.press("b")
    for start, end in lines:
        page.drag(start, end)
    page.press("Enter", "Escape")


def only_mask(page: Annotator) -> np.ndarray:
    assert page.state("annotations.length") == 1
    return page.mask(page.state("annotations[0].id"))


def test_brush_and_eraser_change_exactly_the_pixels_they_touch(cat: Annotator) -> None:
    cat.press("b", "]", "[")
    radius = cat.state("brush")
    cat.click(100, 100)
    mask = cat.mask()
    assert abs(int(mask.sum()) - np.pi * radius**2) < 0.05 * np.pi * radius**2
    assert mask[100, 100] and not mask[100, int(100 + 2 * radius)]
    cat.press("Enter", "Escape")
    np.testing.assert_array_equal(only_mask(cat), mask)
    cat.press(".", "x", "[", "[")
    cat.click(100, 100)
    holed = only_mask(cat)
    assert not holed[100, 100] and holed.sum() == (mask & ~disc_near(cat, 100, 100)).sum()
    cat.press("Escape", "Control+z")
    np.testing.assert_array_equal(only_mask(cat), mask)
    cat.reload()
    np.testing.assert_array_equal(only_mask(cat), mask)


def test_fast_undo_takes_back_one_change_for_each_press(cat: Annotator) -> None:
    for x in (40, 120, 200):
        painted(cat, ((x, 40), (x + 40, 40)))
    for _ in range(3):
        cat.page.keyboard.press("Control+z")  # without waiting for the first to be acknowledged
    cat.settled()
    cat.until("history.undo === null")
    assert cat.state("annotations.length") == 0


def test_enter_before_the_mask_has_come_keeps_it_when_it_comes(cat: Annotator) -> None:
    with held(cat, "prompt") as waiting:
        for x, y in ((200, 150), (60, 40)):
            cat.page.mouse.click(*cat.at(x, y))
            cat.page.keyboard.press("Enter")
        arrived(cat, waiting, 2)
        assert cat.state("annotations.length") == 0
    cat.until("annotations.filter((item) => !item.pending).length === 2")
    assert cat.state("draft.now") is None
    points = cat.state("annotations.map((item) => item.prompts.points[0].slice(0, 2).map(Math.round))")
    assert sorted(points) == [[60, 40], [200, 150]]


def test_a_label_is_there_for_the_enter_that_follows_at_once(cat: Annotator) -> None:
    cat.click(200, 150)
    with held(cat, "labels") as waiting:
        cat.page.keyboard.press("l")
        cat.page.keyboard.type("whiskers")
        cat.page.keyboard.press("Enter")
        cat.page.keyboard.press("Enter")
        arrived(cat, waiting)
        assert len(waiting) == 1
    cat.until("annotations.filter((item) => !item.pending).length === 1")
    assert cat.state("labels.at(-1).name") == "whiskers"
    assert cat.state("annotations[0].label_id") == cat.state("labels.at(-1).id")


def test_strokes_faster_than_the_server_all_stay(cat: Annotator) -> None:
    painted(cat, ((50, 50), (90, 50)))
    cat.press(".", "b")
    with held(cat, "annotations/*") as waiting:
        for y in (100, 150):
            stroke(cat, (50, y), (90, y))
        arrived(cat, waiting)
        release(waiting, 1)
        cat.until("history.undo === 'correct object'")
        stroke(cat, (50, 200), (90, 200))
    cat.settled()
    mask = only_mask(cat)
    assert [bool(mask[y, 70]) for y in (50, 100, 150, 200, 250)] == [True] * 4 + [False]
    cat.reload()
    np.testing.assert_array_equal(only_mask(cat), mask)


def test_what_another_tab_did_before_ones_own_change_is_seen(cat: Annotator) -> None:
    elsewhere = """async ([image, label]) => (await fetch(`/api/v1/images/${image}/annotations`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ label_id: label, mask: { x: 300, y: 200, w: 9, h: 5, runs: [0, 45] } }) })).status"""
    assert cat.page.evaluate(elsewhere, [cat.state("image.id"), cat.state("labels[0].id")]) == 201
    painted(cat, ((50, 50), (90, 50)))
    cat.until("annotations.length === 2")
    assert sorted(cat.state("annotations.map((item) => item.bbox[0] === 300)")) == [False, True]


def stroke(page: Annotator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A drag, without waiting for what follows from it."""
    page.page.mouse.move(*page.at(*start))
    page.page.mouse.down()
    page.page.mouse.move(*page.at(*end))
    page.page.mouse.up()


def disc_near(page: Annotator, x: float, y: float) -> np.ndarray:
    """What the brush covers at an image point, at the whole screen pixel the mouse was on."""
    left, top = (round(value) for value in page.at(x, y))
    origin = page.at(0, 0)
    scale = page.at(1, 0)[0] - origin[0]
    return disc((left - origin[0]) / scale, (top - origin[1]) / scale, page.state("brush"))


def test_brush_corrects_the_object_in_progress(cat: Annotator) -> None:
    cat.click(200, 150)
    before = cat.mask()
    cat.press("b")
    cat.drag((20, 20), (60, 20))
    after = cat.mask()
    assert after[20, 40] and after.sum() >= before.sum()
    cat.press("Control+z")
    np.testing.assert_array_equal(cat.mask(), before)
    cat.press("Control+Shift+z", "Enter")
    np.testing.assert_array_equal(only_mask(cat), after)


def test_a_kept_object_is_picked_up_again(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.press("Enter")
    before = only_mask(cat)
    cat.press(".", "e")
    assert cat.state("draft.now.points.length") == 1
    np.testing.assert_array_equal(cat.mask(), before)
    cat.press("x" if before[280, 40] else "b")
    cat.drag((20, 280), (60, 280))
    cat.press("Enter")
    after = only_mask(cat)
    assert after[280, 40] != before[280, 40]
    cat.press("Escape", "Control+z")
    np.testing.assert_array_equal(only_mask(cat), before)


def test_a_correction_has_the_colour_of_its_object(cat: Annotator) -> None:
    for name in ("corrected", "chosen"):
        cat.page.fill('#annotator [aria-label="New label"]', name)
        cat.page.keyboard.press("Enter")
        cat.settled()
        if name == "corrected":
            cat.click(200, 150)
            cat.press("Enter")
    color = cat.state("labels.find((label) => label.name === 'corrected').color")
    cat.page.click("#annotator .object >> nth=0 >> .name")
    cat.press("e")
    rows, columns = cat.mask().nonzero()
    x, y = int(np.median(columns)), int(np.median(rows))
    script = """([x, y]) => {
      const canvas = document.querySelector('#annotator canvas.overlay');
      const box = canvas.getBoundingClientRect();
      const ratio = canvas.width / box.width;
      return [...canvas.getContext('2d').getImageData((x - box.x) * ratio, (y - box.y) * ratio, 1, 1).data.slice(0, 3)];
    }"""
    drawn = cat.page.evaluate(script, list(cat.at(x, y)))
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    assert max(abs(a - b) for a, b in zip(drawn, wanted, strict=True)) < 12
    cat.press("Escape")


def test_double_click_picks_up_and_a_point_refines_from_the_mask(cat: Annotator) -> None:
    painted(cat, ((150, 150), (250, 150)))
    left, top = cat.at(200, 150)
    cat.page.mouse.dblclick(left, top)
    cat.settled()
    assert cat.state("draft.now.annotationId") == cat.state("annotations[0].id")
    cat.click(200, 200)
    assert cat.state("draft.now.answered") and cat.state("draft.now.points.length") == 1
    cat.press("Escape")
    assert cat.state("draft.now") is None and cat.state("annotations.length") == 1


def test_merge_split_and_clean(cat: Annotator) -> None:
    painted(cat, ((50, 50), (90, 50)))
    painted(cat, ((300, 200), (340, 200)))
    first, second = (cat.mask(annotation) for annotation in cat.state("annotations.map((a) => a.id)"))
    cat.page.click("#annotator .object >> nth=0 >> .name")
    cat.page.click("#annotator .object >> nth=1 >> .name", modifiers=["Shift"])
    cat.press("m")
    np.testing.assert_array_equal(only_mask(cat), first | second)
    cat.press(".", "s")
    masks = [cat.mask(annotation) for annotation in cat.state("annotations.map((a) => a.id)")]
    assert sorted(mask.sum() for mask in masks) == sorted([first.sum(), second.sum()])
    cat.press("Control+z")
    assert cat.state("annotations.length") == 1
    cat.press(".", "x", *["["] * 12)
    cat.click(70, 50)
    assert only_mask(cat).sum() < (first | second).sum()
    cat.press("Escape", ".", "g")
    np.testing.assert_array_equal(only_mask(cat), first | second)


def test_one_object_is_subtracted_from_another(cat: Annotator) -> None:
    painted(cat, ((50, 50), (150, 50)))
    painted(cat, ((100, 20), (100, 80)))
    ids = cat.state("annotations.map((a) => a.id)")
    first, second = (cat.mask(annotation) for annotation in ids)
    cat.page.click("#annotator .object >> nth=1 >> .name")
    cat.page.click("#annotator .object >> nth=0 >> .name", modifiers=["Shift"])
    cat.press("Shift+M")
    np.testing.assert_array_equal(cat.mask(ids[1]), second & ~first)
    cat.press("Control+z")
    np.testing.assert_array_equal(cat.mask(ids[1]), second)
    cat.press("Escape", ".", "e")
    cat.page.click("#annotator .object >> nth=1 >> .name")
    cat.page.click('#annotator [aria-label^="Subtract"]')
    cat.settled()
    cat.press("Enter")
    np.testing.assert_array_equal(cat.mask(ids[0]), first & ~second)


def test_the_size_of_what_is_cleaned_is_chosen(cat: Annotator) -> None:
    painted(cat, ((50, 50), (90, 50)))
    whole = only_mask(cat)
    cat.press(".", "x", *["["] * 12)
    cat.click(70, 50)
    holed = only_mask(cat)
    cat.press("Escape", ".")
    size = '#annotator [aria-label^="Largest holes"]'
    cat.page.fill(size, "1")
    cat.page.keyboard.press("Enter")
    assert cat.page.evaluate("document.activeElement.className") == "canvas-box"
    cat.press("g")
    np.testing.assert_array_equal(only_mask(cat), holed)
    cat.page.fill(size, str(int((whole & ~holed).sum())))
    cat.page.click('#annotator [aria-label^="Fill holes"]')
    cat.settled()
    np.testing.assert_array_equal(only_mask(cat), whole)


def test_the_preview_follows_the_pointer_and_can_be_turned_off(cat: Annotator) -> None:
    cat.page.mouse.move(*cat.at(202, 152))  # one move: a preview of an earlier spot could be taken for this one's
    cat.until("hover !== null")
    previewed = cat.state("hover")
    again: list[str] = []
    cat.page.on("request", lambda request: again.append(request.url))
    cat.page.mouse.down()
    cat.page.mouse.up()
    cat.until("draft.now?.answered")
    assert cat.state("draft.now.reply.candidates[0].mask") == previewed
    assert not [url for url in again if url.endswith("/prompt")], "what is under the pointer was asked already"
    cat.press("Escape")
    cat.page.mouse.move(*cat.at(205, 155))
    cat.until("hover !== null")
    cat.page.mouse.move(2, 2)
    cat.until("hover === null")
    cat.page.click('#annotator [aria-label="View"]')
    cat.page.uncheck('#annotator label:has-text("Preview") input')
    cat.page.keyboard.press("Escape")
    asked: list[str] = []
    cat.page.on("request", lambda request: asked.append(request.url))
    cat.page.mouse.move(*cat.at(150, 100))
    cat.page.mouse.move(*cat.at(152, 102))
    cat.settled()
    assert not [url for url in asked if url.endswith("/prompt")] and cat.state("hover") is None


def test_keymaps_change_what_keys_do_and_are_remembered(cat: Annotator) -> None:
    cat.press("?")
    cat.page.select_option('#annotator [aria-label="Keymap"]', "labelme")
    cat.press("Escape")
    cat.click(200, 150)
    cat.press("f")
    assert cat.state("annotations.length") == 1
    cat.reload()
    assert cat.state("view.keymap") == "labelme"


def test_only_the_selected_object_is_drawn(cat: Annotator) -> None:
    painted(cat, ((50, 50), (90, 50)))
    painted(cat, ((300, 200), (340, 200)))
    cat.page.mouse.move(2, 2)
    cat.show_at_full_size(0, 0)
    assert cat.drawn(451, 300)[50, 70] and cat.drawn(451, 300)[200, 320]
    cat.press(".", "o")
    assert cat.drawn(451, 300)[50, 70] and not cat.drawn(451, 300)[200, 320]
    cat.press("o", "h")
    assert not cat.drawn(451, 300).any()


def test_fine_detail_is_not_offered_where_there_is_none(cat: Annotator) -> None:
    cat.press("z")
    cat.toast("already sees every pixel")
    assert cat.state("detail") is None


def large_photo_with_a_disc(page: Annotator) -> np.ndarray:
    """Opens a photo of 2250 x 1800 with a disc drawn on it at (1125, 900); the disc's mask."""
    pixels = np.tile(np.asarray(Image.open(io.BytesIO(photo(CAT, 450, 300, tint=next(tints))))), (6, 5, 1)).copy()
    rows, columns = np.mgrid[:1800, :2250]
    mask = np.hypot(columns - 1125, rows - 900) <= 50
    pixels[mask] = (20, 90, 200)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=95)
    page.upload((f"{next_name('large')}.jpg", data.getvalue()))
    return mask


def test_fine_detail_finds_better_edges_until_the_view_is_left(page: Annotator) -> None:
    truth = large_photo_with_a_disc(page)
    page.press("z")
    page.toast("Zoom in first")
    page.show_at_full_size(700, 600)
    page.click(1125, 900)
    whole = iou(page.mask(), truth)
    page.press("Escape", "z")
    detail = page.state("detail")
    with page.page.expect_request("**/prompt") as asked:
        page.click(1125, 900)
    assert asked.value.post_data_json["view"] == {key: detail[key] for key in ("x", "y", "width", "height")}
    assert iou(page.mask(), truth) > max(0.9, whole)
    page.press("Escape", "f")
    assert page.state("detail") is None


def test_correcting_in_fine_detail_leaves_the_rest_of_the_mask_alone(page: Annotator) -> None:
    large_photo_with_a_disc(page)
    painted(page, ((200, 900), (1125, 900)))
    before = only_mask(page)
    page.show_at_full_size(700, 600)
    page.press("z")
    page.page.mouse.dblclick(*page.at(1125, 900))
    page.settled()
    page.click(1150, 920)
    page.press("Enter", "Escape")
    after = only_mask(page)
    unseen = np.ones(after.shape, bool)
    detail = page.state("detail")
    rows, columns = (slice(detail[at], detail[at] + detail[size]) for at, size in (("y", "height"), ("x", "width")))
    unseen[rows, columns] = False
    assert (after != before).any() and before[unseen].any()
    np.testing.assert_array_equal(after[unseen], before[unseen])
