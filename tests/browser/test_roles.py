"""The counts and members of a project, and what the page offers to whom, with a login and without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from driver import EXECUTABLE, Annotator, photo, running_browser
from test_accessibility import MODES, violations

from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import Account, Project
from annotator.web.server import create_app
from annotator.workspace.annotations import NewObject
from annotator.workspace.workspace import Workspace
from tests.conftest import SAMPLES, free_port
from tests.fake_segmenter import FakeSegmenter

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")

CAT = SAMPLES / "skimage_chelsea.jpg"


class Site:
    """A server that takes the user's name from a header, with a project of ann's that bob and eve share."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=data_dir, port=free_port(), **settings)
        self.space = Workspace(self.settings, Store(self.settings.store_url), FakeSegmenter())
        self.url = f"http://127.0.0.1:{self.settings.port}"

    def fill(self, owner: str) -> Project:
        """A project with two images, two labels and three objects."""
        store = self.space.store
        project = store.create_project("birds", owner)
        wing, _ = store.add_label(project.id, "wing"), store.add_label(project.id, "beak")
        for tint in (1, 2):
            record, _ = self.space.images.add(project, f"{tint}.jpg", photo(CAT, 451, 300, tint=tint))
            for at in range(tint):
                mask = rle.from_counts([at, 300, 451 * 300 - 300 - at], 300, 451)
                self.space.annotations.by(owner).keep(record, NewObject(wing.id, mask))
        store.set_status(record.id, "done")
        return project

    @contextmanager
    def running(self) -> Iterator[None]:
        config = uvicorn.Config(create_app(self.space, self.settings), port=self.settings.port, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield
        server.should_exit = True
        thread.join()


@contextmanager
def opened(site: Site, user: str = "", **options: Any) -> Iterator[Annotator]:
    size = {"width": options.pop("width", 1280), "height": options.pop("height", 800)}
    headers = {"X-User": user} if user else {}
    with running_browser() as browser:
        context = browser.new_context(viewport=size, extra_http_headers=headers, **options)
        page = Annotator(context.new_page(), site.url)
        try:
            page.open()
            page.until("booted")
            yield page
            assert not page.problems, page.problems
        finally:
            context.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("roles"), proxy_user_header="X-User")
    for name in ("root", "ann", "bob", "eve"):
        site.space.store.save_user(Account(name, is_admin=name == "root"))
    project = site.fill("ann")
    site.space.store.save_member(project.id, "bob", "annotator")
    with site.running():
        yield site


def see_overview(page: Annotator) -> None:
    page.page.click("#annotator .button.project")
    page.page.click('#annotator .project-menu .item:has-text("Counts")')
    page.appears("#annotator .overview .counts table")


def table(page: Annotator, title: str) -> list[list[str]]:
    rows = page.page.locator(f'#annotator .overview table[aria-label="{title}"] tbody tr')
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows.all()]


def seen(page: Annotator, selector: str) -> bool:
    return page.page.locator(f"#annotator {selector}").first.is_visible()


OWNERS = (
    '.bar .button:has-text("Upload")',
    '.bar .button:has-text("Import")',
    ".tile.add",
    ".labels form",
    ".tile-remove",
)


def test_the_owner_shares_the_project_on_its_page(site: Site) -> None:
    with opened(site, "ann") as page:
        assert all(seen(page, each) for each in OWNERS)
        see_overview(page)
        assert table(page, "Objects") == [["wing", "3"], ["beak", "0"]]
        assert ["Done", "1"] in table(page, "Images")
        assert page.page.locator('#annotator .plot[data-plot="Objects"] rect').count() == 2
        assert [row[:3] for row in table(page, "People")] == [["ann", "3", "2"], ["bob", "0", "0"]]
        page.page.fill('[aria-label="Name of a user"]', "nobody")
        page.page.keyboard.press("Enter")
        page.page.wait_for_selector("#annotator .overview .failed:text(\"There is no user 'nobody'.\")")
        page.page.fill('[aria-label="Name of a user"]', "Eve")
        page.page.select_option('[aria-label="Role of the new member"]', "reviewer")
        page.page.click("#annotator .overview form .button")
        page.appears('[aria-label="Role of eve"]')
        assert page.page.input_value('[aria-label="Role of eve"]') == "reviewer"
        # The keys of the page are off behind the dialog, wherever its focus is.
        assert page.page.evaluate("document.activeElement.ariaLabel") == "Name of a user"
        page.page.evaluate("document.activeElement.blur()")
        image = page.state("image.id")
        page.press("a", "d", ".", "Delete")
        assert page.state("image.id") == image and page.state("selection.length") == 0
        page.page.select_option('[aria-label="Role of eve"]', "annotator")
        page.page.wait_for_function(
            """() => document.querySelector('[aria-label="Role of eve"]')?.value === 'annotator'"""
        )
        page.page.click('[aria-label="Remove eve from the project"]')
        page.page.wait_for_selector('[aria-label="Role of eve"]', state="detached")
        page.page.keyboard.press("Escape")
        page.page.wait_for_selector("#annotator .overview", state="hidden")
        page.page.wait_for_function("() => document.activeElement.matches('.button.project')")


def test_what_a_member_may_not_do_is_not_offered(site: Site) -> None:
    with opened(site, "bob") as page:
        page.until("images.length === 2")
        assert not any(seen(page, each) for each in OWNERS)
        page.page.click("#annotator .button.project")
        assert not seen(page, '[aria-label="Rename birds"]') and not seen(page, '[aria-label="Remove birds"]')
        page.page.click('#annotator .project-menu .item:has-text("Counts")')
        page.appears("#annotator .overview table[aria-label=People]")
        assert [row[3] for row in table(page, "People")] == ["owner", "annotator"]
        assert not seen(page, ".overview form") and page.page.locator("#annotator .overview select").count() == 0
        page.page.keyboard.press("Escape")
        page.page.click('#annotator [aria-label^="Model:"]')
        assert page.page.locator("#annotator .menu .item:enabled:has-text('MB')").count() == 0
        page.page.keyboard.press("Escape")
        page.page.set_input_files('#annotator input[aria-label="Image files"]', CAT)
        page.toast("Only the owner of the project may add images")


@pytest.mark.parametrize("mode", MODES)
def test_axe_finds_nothing_in_the_counts(site: Site, mode: str) -> None:
    with opened(site, "ann", **MODES[mode]) as page:
        see_overview(page)
        page.settled()
        assert violations(page) == []
        script = "(dialog) => dialog.scrollWidth - dialog.clientWidth"
        assert page.page.locator("#annotator .overview").evaluate(script) == 0, "it need not be scrolled sideways"


def test_without_a_login_there_are_counts_and_no_people(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.fill("local")
    with site.running(), opened(site) as page:
        see_overview(page)
        assert table(page, "Objects") == [["wing", "3"], ["beak", "0"]]
        assert [row[0] for row in table(page, "Images")] == ["New", "In progress", "Done"]
        assert page.page.locator("#annotator .overview .counts").count() == 2
        assert all(seen(page, each) for each in OWNERS)
