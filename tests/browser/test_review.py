"""Reviewing automatic masks: filters, keeping, merging, dropping, stopping and going on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from driver import COFFEE, EXECUTABLE, Annotator, intercept, with_photo
from numpy.typing import NDArray
from playwright.sync_api import Route

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")


def proposals(page: Annotator) -> dict[int, NDArray[np.bool_]]:
    """Full masks of what waits for review, smallest first."""
    full = {}
    for item in sorted(page.state("review.proposals"), key=lambda each: each["area"]):
        mask = item["mask"]
        crop = np.repeat(np.arange(len(mask["runs"])) % 2 == 1, mask["runs"]).reshape(mask["h"], mask["w"])
        full[item["index"]] = np.zeros((page.state("image.height"), page.state("image.width")), bool)
        full[item["index"]][mask["y"] : mask["y"] + mask["h"], mask["x"] : mask["x"] + mask["w"]] = crop
    return full


def spot(wanted: NDArray[np.bool_], smaller: list[NDArray[np.bool_]]) -> tuple[float, float]:
    """A point where this proposal is the smallest one."""
    free = wanted & ~np.any([np.zeros_like(wanted), *smaller], axis=0)
    rows, columns = free.nonzero()
    return columns[len(rows) // 2] + 0.5, rows[len(rows) // 2] + 0.5


def test_proposals_are_filtered_kept_merged_and_dropped(page: Annotator) -> None:
    coffee = with_photo(page, COFFEE)
    of_points(coffee, 8)
    count = coffee.auto_mask()
    assert count >= 5, "too little to review"
    panel = coffee.page.locator("#annotator .review")
    for words, nothing, everything in (("Score ≥", "1", "0"), ("Stability ≥", "1", "0"), ("Area ≥", "100", "0")):
        panel.get_by_label(words).fill(nothing)
        assert panel.locator('.hint:has-text("0 of")').count() == 1, words
        panel.get_by_label(words).fill(everything)
    panel.get_by_label("Overlap ≤").fill("0")
    apart = int(panel.locator(".hint[aria-live]").inner_text().split(" of ")[0])
    assert 0 < apart <= count
    panel.get_by_label("Overlap ≤").fill("1")

    masks = proposals(coffee)
    first, second, third, *_ = masks
    smaller: list[NDArray[np.bool_]] = []
    where = {}
    for index in (first, second, third):
        where[index] = spot(masks[index], smaller)
        smaller.append(masks[index])
    coffee.click(*where[third])
    coffee.until("annotations.filter((a) => !a.pending).length === 1")
    assert coffee.state("annotations[0].source") == "auto"
    np.testing.assert_array_equal(coffee.mask(coffee.state("annotations[0].id")), masks[third])

    coffee.page.keyboard.down("Shift")
    coffee.click(*where[first])
    coffee.click(*where[second])
    coffee.page.keyboard.up("Shift")
    assert coffee.state("annotations.length") == 1, "nothing is kept before both are together"
    coffee.press("Enter")
    coffee.until("annotations.filter((a) => !a.pending).length === 2")
    np.testing.assert_array_equal(coffee.mask(coffee.state("annotations[1].id")), masks[first] | masks[second])

    left = count - 3
    coffee.page.mouse.move(*coffee.at(*spot(masks[list(masks)[3]], smaller)))
    coffee.settled()
    coffee.press("x")
    corners = [(-3, -3), (454, -3), (454, 303), (-3, 303)]
    coffee.page.mouse.move(*coffee.at(*corners[0]))
    coffee.page.mouse.down()
    for corner in corners[1:]:
        coffee.page.mouse.move(*coffee.at(*corner))
    coffee.page.mouse.up()
    coffee.settled()
    assert coffee.state("annotations.length") == 2 + left - 1
    coffee.press("Escape", "Control+z")
    assert coffee.state("review") is None
    assert coffee.state("annotations.length") == 2, "one step of the history for all of them"


def test_tab_steps_to_a_proposal_below_another(page: Annotator) -> None:
    coffee = with_photo(page, COFFEE)
    of_points(coffee, 6)
    coffee.auto_mask()
    masks = proposals(coffee)
    depth = np.sum(list(masks.values()), axis=0)
    assert depth.max() > 1, "no proposal lies on another"
    rows, columns = (depth == depth.max()).nonzero()
    y, x = rows[len(rows) // 2], columns[len(rows) // 2]
    there = [index for index, mask in masks.items() if mask[y, x]]
    coffee.page.mouse.move(*coffee.at(x + 0.5, y + 0.5))
    coffee.says("#annotator .review .hint", f"1 of {len(there)} here")
    coffee.press("Tab")
    assert coffee.page.locator(f'#annotator .review:has-text("2 of {len(there)} here")').count() == 1
    coffee.click(x + 0.5, y + 0.5)
    coffee.until("annotations.filter((a) => !a.pending).length === 1")
    np.testing.assert_array_equal(coffee.mask(coffee.state("annotations[0].id")), masks[there[1]])


def test_undo_brings_proposals_back(page: Annotator) -> None:
    coffee = with_photo(page, COFFEE)
    of_points(coffee, 6)
    count = coffee.auto_mask()
    masks = proposals(coffee)
    first, second, *_ = masks
    where = spot(masks[first], [])
    other = spot(masks[second], [masks[first]])

    def left() -> int:
        return int(coffee.state("review.proposals.length") - coffee.state("review.gone.size"))

    coffee.click(*where)
    coffee.until("annotations.filter((a) => !a.pending).length === 1")
    assert left() == count - 1
    coffee.press("Control+z")
    assert (coffee.state("annotations.length"), left()) == (0, count)
    coffee.press("Control+Shift+z")
    assert (coffee.state("annotations.length"), left()) == (1, count - 1)
    coffee.press("Control+z")

    coffee.click(*other, button="right")
    assert left() == count - 1
    coffee.press("Control+z")
    assert left() == count

    coffee.press("Escape")
    assert coffee.state("review") is None
    coffee.page.click('#annotator .toast .button:has-text("Undo")')
    assert left() == count
    coffee.press("Enter")
    coffee.until(f"annotations.filter((a) => !a.pending).length === {count}")
    assert coffee.state("review") is None
    coffee.press("Control+z")
    assert (coffee.state("annotations.length"), left()) == (0, count)


def of_points(page: Annotator, per_side: int) -> None:
    """From now on, automatic masks are looked for at so many points: a few are quick, many take time."""

    def change(route: Route) -> None:
        route.continue_(post_data=json.dumps({**route.request.post_data_json, "points_per_side": per_side}))

    intercept(page, "automask", change)


def test_a_stopped_run_shows_what_it_found_and_goes_on(cat: Annotator) -> None:
    of_points(cat, 48)  # so that there is time to stop it
    cat.press("q")
    cat.until("review?.done > 0")
    cat.page.click('#annotator .review .button:has-text("Stop")')
    cat.until("review?.state === 'cancelled'")
    assert cat.page.locator('#annotator .review .hint:has-text("Stopped at")').count() == 1
    done = cat.state("review.done")
    assert 0 < done < cat.state("review.total")
    cat.page.click('#annotator .review .button:has-text("Go on")')
    cat.until(f"review?.done > {done}")
    cat.press("Escape")
    cat.until("review?.state === 'cancelled'")
    cat.press("Escape")
    assert cat.state("review") is None


def test_a_box_limits_where_automatic_masks_are_looked_for(page: Annotator) -> None:
    coffee = with_photo(page, COFFEE)
    of_points(coffee, 6)
    coffee.drag((150, 40), (330, 220))
    with coffee.page.expect_request("**/automask") as asked:
        assert coffee.auto_mask() > 0
    assert asked.value.post_data_json["region"] == pytest.approx([150, 40, 330, 220], abs=1)
    assert all(mask[40:221, 150:331].any() for mask in proposals(coffee).values())
    assert coffee.state("draft.now") is None


def test_a_review_outlives_a_reload(page: Annotator) -> None:
    coffee = with_photo(page, COFFEE)
    of_points(coffee, 6)
    count = coffee.auto_mask()
    masks = proposals(coffee)
    first, second, *_ = masks
    coffee.click(*spot(masks[first], []))
    coffee.until("annotations.filter((a) => !a.pending).length === 1")
    coffee.click(*spot(masks[second], [masks[first]]), button="right")
    coffee.page.get_by_label("Score ≥").fill("0.2")
    coffee.reload()
    coffee.until("review?.state === 'done'")
    assert coffee.state("review.proposals.length") == count
    assert set(coffee.state("review.gone.keys().toArray()")) == {first, second}
    assert coffee.page.get_by_label("Score ≥").input_value() == "0.2"
    coffee.press("Control+z")
    coffee.press("Control+z")
    assert (coffee.state("review.gone.size"), coffee.state("annotations.length")) == (0, 0)
    coffee.page.route("**/jobs/*", lambda route: route.fulfill(status=404, json={"detail": "It is no longer known."}))
    coffee.reload()
    coffee.toast("The review of automatic masks is lost: It is no longer known.")
    coffee.until("review === null")


def test_undo_after_esc_brings_the_review_back_and_what_is_kept_is_not_proposed_again(page: Annotator) -> None:
    coffee = with_photo(page, COFFEE)
    of_points(coffee, 6)
    coffee.auto_mask()
    masks = proposals(coffee)
    first, *_ = masks
    coffee.click(*spot(masks[first], []))
    coffee.until("annotations.filter((a) => !a.pending).length === 1")
    coffee.press("Escape")
    assert coffee.state("review") is None
    coffee.press("Control+z")
    assert coffee.state("review.gone.size") == 1
    assert coffee.page.locator('#annotator .toast:has-text("were dropped")').count() == 0
    assert coffee.state("annotations.length") == 1, "what was kept stays"
    coffee.press("Escape")
    coffee.auto_mask()
    again = [
        mask for mask in proposals(coffee).values() if (mask & masks[first]).sum() > 0.9 * (mask | masks[first]).sum()
    ]
    assert not again
