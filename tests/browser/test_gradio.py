"""What the page has of Gradio, and what Gradio apps have of the page."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partialmethod
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT, free_port

if TYPE_CHECKING:
    from driver import Annotator


def test_the_key_sheet_leads_to_the_list_of_endpoints(page: Annotator) -> None:
    page.page.click('#annotator [aria-label="Keys (?)"]')
    page.page.click('#annotator dialog .button:has-text("Use via API")')
    page.says(".api-docs", "/segment_many")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the app in docs/gradio.md, as it stands there."""
    import gradio as gr

    monkeypatch.setenv("ANNOTATOR_COMPILE", "0")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    launch = partialmethod(gr.Blocks.launch, server_port=free_port(), prevent_thread_lock=True, quiet=True)
    monkeypatch.setattr(gr.Blocks, "launch", launch)
    code = next(block for block in (ROOT / "docs/gradio.md").read_text().split("```python\n") if "demo.launch" in block)
    app: dict[str, Any] = {}
    with ThreadPoolExecutor(1) as pool:  # this thread runs the browser's event loop
        pool.submit(exec, code.split("```")[0], app).result()
    yield app["demo"].local_url
    app["demo"].close(verbose=False)


def test_the_example_app_gets_the_mask_that_was_clicked(example: str) -> None:
    from driver import CAT, running_browser

    with running_browser() as browser:
        page = browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(example, wait_until="domcontentloaded")
        page.wait_for_selector('text="Open an image"')
        page.set_input_files('[aria-label="Image files"]', CAT)
        page.wait_for_selector(".empty", state="hidden")
        page.wait_for_function("() => !document.querySelector('.pill').textContent.startsWith('Loading')")
        page.click(".canvas-box")
        page.click('.candidate-bar:visible :text("Keep")')
        page.wait_for_function("() => /^cat: [0-9]+ pixels$/.test(document.querySelector('textarea').value)")
        page.click('[aria-label^="Undo"]')
        page.wait_for_function("() => document.querySelector('textarea').value === ''")
        page.close()
        assert not problems
