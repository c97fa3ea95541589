"""Changes on their way to the server: nothing is lost, and nothing overtakes them."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from driver import EXECUTABLE, Annotator, arrived, held, intercept, with_photo

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.conftest import Server

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")


def test_a_lost_connection_loses_nothing(cat: Annotator) -> None:
    cat.click(200, 150)
    mask = cat.mask()
    cat.page.context.set_offline(True)
    cat.page.keyboard.press("Enter")
    cat.appears("#annotator .banner:not([hidden])")
    assert cat.page.locator("#annotator .object.pending").count() == 1
    cat.page.context.set_offline(False)
    cat.appears("#annotator .banner[hidden]")
    cat.ready()
    cat.reload()
    assert cat.state("annotations.length") == 1
    np.testing.assert_array_equal(cat.mask(cat.state("annotations[0].id")), mask)


def test_a_killed_server_comes_back_with_the_mask_its_history_and_the_embedding(cat: Annotator, server: Server) -> None:
    cat.click(200, 150)
    mask, image = cat.mask(), cat.state("image.id")
    cat.press("Enter", "Escape")
    server.kill()
    server.start()
    with urllib.request.urlopen(f"{server.url}/api/v1/images/{image}") as reply:
        assert json.loads(reply.read())["embedding"] == "ready"  # before anyone has opened it
    cat.reload()
    np.testing.assert_array_equal(cat.mask(cat.state("annotations[0].id")), mask)
    cat.click(200, 150)
    assert cat.state("draft.now.reply.timing.encode") is None
    np.testing.assert_array_equal(cat.mask(), mask)
    cat.press("Escape", "Control+z")
    assert cat.state("annotations.length") == 0


def test_what_is_in_progress_outlives_a_reload(cat: Annotator) -> None:
    cat.click(200, 150)
    mask = cat.mask()
    cat.reload()
    np.testing.assert_array_equal(cat.mask(), mask)
    cat.click(210, 160)
    assert cat.state("draft.now.points.length") == 2
    cat.press("Enter")
    cat.reload()
    assert cat.state("draft.now") is None
    assert cat.state("annotations.length") == 1


def test_without_the_server_the_open_image_stays(cat: Annotator) -> None:
    image = cat.state("image.id")
    with_photo(cat)
    cat.press("a")
    cat.until(f"image?.id === {json.dumps(image)}")
    cat.click(200, 150)
    mask = cat.mask()
    cat.page.context.set_offline(True)
    cat.page.keyboard.press("d")
    cat.toast("could not be opened")
    cat.until("photoReady")
    assert cat.state("image.id") == image
    np.testing.assert_array_equal(cat.mask(), mask)
    cat.page.context.set_offline(False)
    cat.appears("#annotator .banner[hidden]")
    cat.press("Enter")
    cat.until("annotations.filter((a) => !a.pending).length === 1")


def test_an_export_waits_for_what_is_on_its_way(cat: Annotator) -> None:
    name = cat.state("image.name")
    cat.click(200, 150)
    with cat.page.expect_download() as download, held(cat, "annotations") as waiting:
        cat.page.keyboard.press("Enter")
        cat.page.click('#annotator .bar .button:has-text("Export")')
        cat.page.click('#annotator .export-menu button:text("Download")')
        arrived(cat, waiting)
        cat.page.wait_for_timeout(300)
    coco = json.loads(Path(download.value.path()).read_text())
    image = next(item for item in coco["images"] if item["file_name"] == name)
    assert [item for item in coco["annotations"] if item["image_id"] == image["id"]]


def test_an_export_says_how_far_it_is_and_can_be_cancelled(cat: Annotator) -> None:
    state = {"id": "0" * 32, "state": "running", "done": 1, "total": 4, "size": 0, "error": None}
    gone: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method == "DELETE":
            gone.append(route.request.url)
        route.fulfill(status=200, json=state)

    intercept(cat, "exports/**", answer)
    cat.page.click('#annotator .bar .button:has-text("Export")')
    cat.page.click('#annotator .export-menu button:text("Download")')
    cat.toast("Writing annotations.json: 1 of 4 images")
    assert cat.page.locator("#annotator .toast progress").evaluate("(bar) => bar.value") == 0.25
    cat.page.click('#annotator .toast .button:has-text("Cancel")')
    cat.toast("The export was cancelled.")
    assert [each.split("/")[-1] for each in gone] == ["0" * 32]


def test_an_export_without_a_connection_says_so(cat: Annotator) -> None:
    cat.page.context.set_offline(True)
    cat.page.click('#annotator .bar .button:has-text("Export")')
    cat.says("#annotator .export-menu", "The server cannot be reached.")
    cat.page.context.set_offline(False)
    cat.appears("#annotator .banner[hidden]")


def test_a_keep_refused_after_its_image_was_left_waits_there(cat: Annotator) -> None:
    first = cat.state("image.id")
    cat.click(200, 150)
    mask = cat.mask()
    with held(cat, "annotations") as waiting:
        cat.page.keyboard.press("Enter")
        arrived(cat, waiting)
        with_photo(cat)
        waiting.pop().fulfill(status=422, json={"detail": "This mask is refused."})
    cat.toast("waits on")
    assert cat.state("image.id") != first and cat.state("draft.now") is None
    cat.press("a")
    cat.until(f"image.id === {json.dumps(first)}")
    cat.until("photoReady")
    np.testing.assert_array_equal(cat.mask(), mask)
    cat.press("Escape")


def test_leaving_asks_while_changes_would_be_lost(cat: Annotator) -> None:
    cat.page.evaluate("() => void (Storage.prototype.setItem = () => { throw new Error('full'); })")
    cat.click(200, 150)
    with held(cat, "annotations") as waiting:
        cat.page.keyboard.press("Enter")
        arrived(cat, waiting)
        assert cat.state("unsent") == 1
        assert leaving_is_asked(cat)
    cat.until("unsent === 0")
    assert not leaving_is_asked(cat)


def leaving_is_asked(page: Annotator) -> bool:
    """Whether the browser would ask before it leaves the page."""
    script = """() => {
      const event = new Event('beforeunload', { cancelable: true });
      return !window.dispatchEvent(event);
    }"""
    return bool(page.page.evaluate(script))


def test_an_object_too_intricate_to_be_shown_is_said_and_the_rest_is_there(cat: Annotator) -> None:
    for x, y in ((200, 150), (60, 80)):
        cat.click(x, y)
        cat.press("Enter", "Escape")
    mask = cat.mask(cat.state("annotations[1].id"))

    def without_mask(route: Route) -> None:
        reply = route.fetch()
        document = reply.json()
        document["annotations"][0]["mask"] = {"x": 0, "y": 0, "w": 0, "h": 0, "runs": []}  # as the server says it
        route.fulfill(response=reply, json=document)

    intercept(cat, "open", without_mask)
    cat.reload()
    assert "too intricate to be shown" in cat.page.inner_text("#annotator .panel.objects")
    assert cat.page.locator("#annotator .object").all_inner_texts()[0].split("\n")[:3] == ["object", "#1", "not shown"]
    np.testing.assert_array_equal(cat.mask(cat.state("annotations[1].id")), mask)
