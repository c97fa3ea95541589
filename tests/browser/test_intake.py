"""How images and objects get in, and the queue they wait in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from driver import CAT, EXECUTABLE, SAMPLES, Annotator, new_project, photo, tints, with_photo

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")


def test_a_coco_file_is_imported_and_its_objects_can_be_corrected(cat: Annotator, tmp_path: Path) -> None:
    name, images = cat.state("image.name"), len(cat.state("images"))
    box = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[100, 50, 200, 50, 200, 150, 100, 150]]}
    document = {
        "images": [{"id": 7, "file_name": name, "width": 451, "height": 300}],
        "categories": [{"id": 3, "name": "imported thing"}],
        "annotations": [box, {**box, "id": 2, "segmentation": []}],
    }
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(document))

    def bring(file: Path) -> None:
        with cat.page.expect_file_chooser() as chooser:
            cat.page.click('#annotator .button:has-text("Import")')
        chooser.value.set_files(file)

    bring(path)
    cat.toast("1 object imported.")
    cat.toast("Annotation 2 has no mask.")
    cat.until("annotations.length === 1")
    kept = cat.state("annotations[0]")
    assert cat.mask(kept["id"]).sum() == 100 * 100
    assert kept["label_id"] in [label["id"] for label in cat.state("labels") if label["name"] == "imported thing"]

    cat.page.mouse.dblclick(*cat.at(150, 100))
    cat.settled()
    with cat.page.expect_request("**/prompt") as asked:
        cat.click(300, 200)
    assert asked.value.post_data_json["mask"] == kept["mask"], "the mask itself is the starting prompt"
    cat.press("Escape")

    path.write_text(json.dumps({**document, "annotations": [box]}))
    bring(path)
    cat.toast("The object was there already.")
    (tmp_path / "notes.txt").write_text("words")
    bring(tmp_path / "notes.txt")
    cat.toast("notes.txt is no file with objects")
    assert (len(cat.state("annotations")), len(cat.state("images"))) == (1, images)


def test_a_prompt_after_the_brush_starts_from_what_was_painted(cat: Annotator) -> None:
    cat.click(200, 150)
    cat.press("b")
    cat.drag((20, 20), (60, 20))
    painted = cat.mask()
    assert painted[20, 20:60].all()
    cat.press("b")
    with cat.page.expect_request("**/prompt") as asked:
        cat.click(300, 200)
    body = asked.value.post_data_json
    assert body["refine"] is None, "what was painted, not the answer before it"
    runs = body["mask"]["runs"]
    assert sum(runs[1::2]) == painted.sum()


def test_what_is_no_coco_file_is_said(cat: Annotator, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    cat.page.set_input_files('#annotator input[type="file"]', path)
    cat.toast("broken.json: This file is not JSON.")


def test_the_images_of_a_folder_are_uploaded(page: Annotator, tmp_path: Path) -> None:
    first, second = (f"folder-{next(tints)}.jpg" for _ in range(2))
    (tmp_path / "deeper").mkdir()
    for path in (tmp_path / first, tmp_path / "deeper" / second):
        path.write_bytes(photo(CAT, 451, 300, tint=next(tints)))
    (tmp_path / "notes.txt").write_text("words")
    with page.page.expect_file_chooser() as chooser:
        page.page.click('#annotator [aria-label^="Add folder"]')
    chooser.value.set_files(tmp_path)
    page.toast("1 file that is no image was left out.")
    for name in (first, f"deeper/{second}"):
        page.until(f"images.some((image) => image.name === '{name}')")


def test_a_folder_of_the_server_is_added(cat: Annotator) -> None:
    before = cat.state("images.length")
    cat.page.click('#annotator [aria-label="Add a folder of the server"]')
    assert cat.page.input_value('#annotator [aria-label="Path of a folder"]') == str(SAMPLES)
    cat.page.click('#annotator .button:has-text("Add its images")')
    cat.until("images.some((i) => i.name === 'skimage_rocket.jpg')")
    cat.settled()
    assert before < cat.state("images.length") <= before + 4
    cat.page.click('#annotator [aria-label="Add a folder of the server"]')
    cat.page.fill('#annotator [aria-label="Path of a folder"]', "/etc")
    cat.page.keyboard.press("Enter")
    cat.toast("The operator of this server has not allowed this folder")


def test_the_queue_shows_one_status_and_moves_within_it(cat: Annotator) -> None:
    name = cat.state("image.name")
    cat.page.click('#annotator .button:has-text("Done")')
    cat.until("image.status === 'done'")
    cat.page.select_option('#annotator [aria-label="Show images"]', "done")
    cat.settled()
    shown = cat.page.locator("#annotator .queue .tile").count()
    done = cat.state("images.filter((i) => i.status === 'done').length")
    assert shown == done < cat.state("images.length")
    for _ in range(shown):
        cat.press("a")
        assert cat.state("image.status") == "done"
    cat.page.select_option('#annotator [aria-label="Show images"]', "")
    cat.settled()
    assert cat.page.locator("#annotator .queue .tile").count() == cat.state("images.length")
    assert name in cat.state("images.map((i) => i.name)")
    np.testing.assert_equal(cat.state("queueStatus"), "")


def test_objects_come_back_from_another_format_that_the_export_panel_offers(cat: Annotator, tmp_path: Path) -> None:
    cat.click(200, 150)
    cat.page.keyboard.press("Enter")
    cat.until("annotations.length === 1")
    cat.settled()
    cat.page.click('#annotator .bar .button:has-text("Export")')
    panel = cat.page.locator("#annotator .export-menu")
    panel.get_by_label("Format").select_option("yolo-det")
    panel.get_by_text("Masks become boxes.").wait_for()
    panel.get_by_text("Masks that change").wait_for()
    panel.get_by_label("Validation, in percent of the images").fill("50")
    panel.get_by_label("Format").select_option("labelme")
    panel.get_by_text("All masks come back with every pixel").wait_for()
    assert not panel.get_by_label("Validation, in percent of the images").is_visible()
    with cat.page.expect_download() as download:
        panel.get_by_role("button", name="Download").click()
    assert not panel.is_visible()
    path = tmp_path / "labelme.zip"
    path.write_bytes(Path(download.value.path()).read_bytes())
    cat.page.keyboard.press("Control+z")
    cat.until("annotations.length === 0")
    with cat.page.expect_file_chooser() as chooser:
        cat.page.click('#annotator .button:has-text("Import")')
    chooser.value.set_files(path)
    cat.until("annotations.length === 1")


def test_removed_images_wait_in_the_bin(page: Annotator) -> None:
    new_project(page)
    for _ in range(3):
        with_photo(page)
    page.click(200, 150)
    page.press("Enter")
    names = page.state("images.map(({ name }) => name)")
    for name in names[1:]:
        page.page.click(f'#annotator [aria-label="Remove {name}"]')
        page.until(f"images.every((image) => image.name !== '{name}')")
    page.page.click('#annotator [aria-label="Removed images"]')
    page.until("bin.length === 2")
    thumbnail = page.page.locator("#annotator .bin-list img").first
    assert thumbnail.evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 160
    page.page.click(f'#annotator .bin-list [aria-label="Restore {names[1]}"]')
    page.until("images.length === 2")
    page.page.click(f'#annotator [aria-label="Remove {names[0]}"]')
    page.until(f"image.name === '{names[1]}'")
    page.page.click('#annotator [aria-label="Removed images"]')
    page.page.click(f'#annotator .bin-list [aria-label="Restore {names[0]}"]')
    page.until("images.length === 2")
    assert page.state("images.map(({ name }) => name)") == names[:2], "each is in its old place"

    page.page.click('#annotator .bin .button:has-text("Empty bin")')
    page.page.click('#annotator .question:has-text("Remove 1 image and 1 object for good?") .primary')
    page.toast("1 image removed for good.")
    page.page.click('#annotator [aria-label="Removed images"]')
    page.says("#annotator .bin .hint", "No image was removed.")


def test_a_very_thin_image_can_be_opened(page: Annotator) -> None:
    page.upload(("thin.jpg", photo(CAT, 2, 6000)))
    page.until("photoReady")
    assert (page.state("image.width"), page.state("image.height")) == (2, 6000)
