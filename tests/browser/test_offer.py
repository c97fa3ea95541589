"""The offer of a finer model, where the hub answers."""

from __future__ import annotations

from pathlib import Path

from driver import browser_page

from tests.conftest import Server
from tests.hub import Hub

pytest_plugins = ["tests.hub"]


def test_a_finer_model_is_offered_once_and_nano_goes_on_if_it_does_not_arrive(hub: type[Hub], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    server = Server(data, model="auto", ANNOTATOR_MODELS_DIR=str(tmp_path / "models"))
    server.start()
    offer = "#annotator .offer"
    with browser_page(server.url) as page:
        page.page.wait_for_selector(f'{offer}:has-text("SAM 2.1 tiny (156 MB) gives finer masks than Nano (bundled).")')
        page.page.click(f'{offer} >> text="Not now"')
        page.reload()
        page.until("status.model.offer === 'tiny'")
        assert page.page.is_hidden(offer)
        page.page.evaluate("localStorage.clear()")
        page.reload()
        page.page.click(f'{offer} >> text="Get it"')
        page.says("#annotator .toast.error", "The model was not changed: SAM 2.1 tiny")
        assert hub.ranges and page.state("status.model.name") == "nano"
    server.kill()
