"""Accessibility: axe-core finds nothing, whatever is open; keyboards of every kind and fingers reach everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driver import (
    AUTO_MASK_PATIENCE_MS,
    COFFEE,
    EXECUTABLE,
    TWO_FRAMES,
    Annotator,
    browser_page,
    new_project,
    next_name,
    with_photo,
)

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async (options) =>
  (await axe.run('#annotator', { resultTypes: ['violations'], ...options })).violations"""
MODES: dict[str, dict[str, Any]] = {
    "desk": {},
    "phone": {"width": 390, "height": 844, "has_touch": True, "is_mobile": True},
}


def violations(page: Annotator) -> list[str]:
    """What axe-core finds in the page as it is, in light colours and in dark ones, an element each.

    Of the rules, only the one about contrast depends on the colours.
    """
    if not page.page.evaluate("() => 'axe' in window"):
        page.page.evaluate(AXE.read_text())  # a script in the page would be against its policy
    page.page.emulate_media(reduced_motion="reduce")  # colours change at once
    page.page.evaluate(TWO_FRAMES)
    found = page.page.evaluate(RUN_AXE, {})
    page.page.emulate_media(color_scheme="dark")
    page.page.evaluate(TWO_FRAMES)
    found += page.page.evaluate(RUN_AXE, {"runOnly": ["color-contrast"]})
    page.page.emulate_media(color_scheme="null")
    page.page.evaluate(TWO_FRAMES)
    return [f"{each['id']}: {node['html']}: {node['failureSummary']}" for each in found for node in each["nodes"]]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, server_url: str) -> Iterator[Annotator]:
    """An empty project on a desk and on a phone."""
    with browser_page(server_url, **MODES[request.param]) as page:
        new_project(page)
        page.until("image === null")
        yield page


def test_axe_finds_nothing_whatever_is_open(mode: Annotator) -> None:
    page, click = mode.page, mode.page.click
    found: dict[str, list[str]] = {}

    def check(state: str) -> None:
        mode.settled()
        found[state] = violations(mode)

    check("start page")
    project = mode.state("projectId")
    click("#annotator .button.project")
    click('#annotator .project-row.chosen [aria-label^="Remove"]')
    mode.toast("was removed.")
    mode.until("booted")
    click("#annotator .removed summary")
    click('#annotator .project-row [aria-label^="Rename"]')
    check("projects")
    click("#annotator .removed .button >> nth=-1")  # the toast with Undo may be gone
    mode.until(f"projectId === {project}")
    mode.until("booted")
    mode.until("image === null")
    with_photo(mode, COFFEE)
    check("image")
    mode.click(200, 150)
    check("object in progress")
    mode.press("c")
    mode.click(330, 20)
    check("many objects")
    mode.press("Enter", "Escape")
    mode.click(100, 60)
    mode.press("Enter", "Escape", ".")
    check("kept objects, one selected")
    for name in ("View", "Model: nano", "Add a folder of the server"):
        click(f'#annotator [aria-label="{name}"]')
        check(name)
        page.keyboard.press("Escape")
    mode.press("?")
    check("keys")
    mode.press("Escape")
    page.dispatch_event("#annotator .label-row .name", "dblclick")
    check("label form")
    page.keyboard.press("Escape")
    click("#annotator .tile-remove")
    click('#annotator [aria-label="Removed images"]')
    mode.until("bin.length === 1")
    check("bin")
    click('#annotator .bin .button:has-text("Empty bin")')
    page.wait_for_selector("#annotator .question[open]")
    check("question")
    page.keyboard.press("Escape")
    click('#annotator [aria-label="Removed images"]')
    click("#annotator .bin-list .button")
    mode.until("photoReady")
    page.keyboard.press("Escape")
    mode.press("b")
    check("brush")
    mode.press("Escape", "h")
    check("hidden objects")
    page.set_input_files('#annotator input[type="file"]', {"name": "bad.jpg", "mimeType": "", "buffer": b"words"})
    mode.toast("bad.jpg")
    mode.press("h", ".", "Delete")
    check("toasts")
    click("#annotator .status-button")
    mode.until("image.status === 'done'")
    mode.press("q")
    mode.until("review !== null")
    check("auto-mask runs")
    mode.until("review?.state !== 'running'", AUTO_MASK_PATIENCE_MS)
    check("proposals")
    page.context.set_offline(True)
    page.keyboard.press("Control+z")
    page.wait_for_selector("#annotator .banner:not([hidden])")
    found["offline"] = violations(mode)
    page.context.set_offline(False)
    assert not {state: problems for state, problems in found.items() if problems}


def test_arrow_keys_move_the_choice_in_radio_groups(cat: Annotator) -> None:
    first, second = next_name("first"), next_name("second")
    for name in (first, second):
        cat.page.fill('#annotator [aria-label="New label"]', name)
        cat.page.keyboard.press("Enter")
        cat.until(f"labels.some((label) => label.name === '{name}')")
    cat.page.focus('#annotator .label-list [role="radio"][aria-checked="true"]')
    for key, name in (("ArrowUp", first), ("ArrowDown", second)):
        cat.press(key)
        assert cat.page.inner_text("#annotator .label-row.chosen .clip") == name
        assert cat.page.evaluate("document.activeElement.querySelector('.clip').textContent") == name
    assert cat.page.locator('#annotator .label-list [role="radio"][tabindex="0"]').count() == 1

    cat.click(200, 150)
    cat.page.focus('#annotator .chip[aria-checked="true"]')
    cat.press("ArrowRight")
    assert cat.state("draft.now.index") == 1
    assert cat.page.evaluate("document.activeElement.ariaChecked") == "true"
    cat.press("ArrowLeft", "ArrowLeft")
    assert cat.state("draft.now.index") == cat.state("draft.now.reply.candidates.length") - 1


def test_on_touch_screens_every_button_that_can_be_tapped_can_be_seen(server_url: str) -> None:
    with browser_page(server_url, 1024, 768, has_touch=True, is_mobile=True) as page:
        with_photo(page)
        page.click(200, 150)
        page.press("Enter", "Escape")
        script = """() => [...document.querySelectorAll('#annotator button')]
          .filter((button) => button.checkVisibility() && getComputedStyle(button).opacity < 0.3)
          .map((button) => button.ariaLabel)"""
        assert page.page.evaluate(script) == []
        assert page.page.locator("#annotator .tile-remove").count() > 0


@pytest.mark.parametrize("key", ["т", "ت", "\N{GREEK SMALL LETTER NU}"])
def test_commands_work_on_keyboards_of_other_scripts(cat: Annotator, key: str) -> None:
    cat.click(200, 150)
    cat.page.dispatch_event("#annotator .canvas-box", "keydown", {"key": key, "code": "KeyN", "bubbles": True})
    cat.until("annotations.length === 1")


def test_keys_that_compose_a_word_are_not_taken(cat: Annotator) -> None:
    devtools = cat.page.context.new_cdp_session(cat.page)

    def while_composing(key: str) -> None:
        devtools.send("Input.imeSetComposition", {"text": "ね", "selectionStart": 1, "selectionEnd": 1})
        devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": key, "code": key})
        cat.settled()

    cat.click(200, 150)
    cat.page.focus('#annotator [aria-label="New label"]')
    while_composing("Escape")
    assert cat.page.evaluate("document.activeElement.ariaLabel") == "New label"
    assert cat.state("draft.now") is not None
    devtools.send("Input.insertText", {"text": "猫"})
    cat.page.keyboard.press("Enter")
    cat.until("labels.some((label) => label.name === '猫')")

    cat.page.dblclick('#annotator .label-row:has-text("猫") .name')
    for key in ("Escape", "Enter"):
        while_composing(key)
        assert cat.page.locator("#annotator .label-form").count() == 1, key
    devtools.send("Input.insertText", {"text": "犬"})
    cat.page.keyboard.press("Escape")
    cat.page.wait_for_selector("#annotator .label-form", state="detached")
