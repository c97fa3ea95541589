"""Logging in with the page, and a login that ends in the middle of the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from argon2 import PasswordHasher
from driver import EXECUTABLE, Annotator, running_browser, with_photo

from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.web.server import create_app
from annotator.workspace.accounts import Accounts
from annotator.workspace.workspace import Workspace
from tests.conftest import free_port
from tests.fake_segmenter import FakeSegmenter

pytestmark = pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs Debian's chromium")

PASSWORD = "correct horse"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Accounts]]:
    """The address of a server with the user ann, and its users."""
    settings = Settings(data_dir=tmp_path, port=free_port())
    space = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    quick = Accounts(space.store, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    space.accounts = quick
    quick.add("ann", PASSWORD)
    server = uvicorn.Server(uvicorn.Config(create_app(space, settings), port=settings.port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{settings.port}", quick
    server.should_exit = True
    thread.join()


def test_work_goes_on_after_a_login_that_ended(site: tuple[str, Accounts]) -> None:
    address, accounts = site

    def log_in(password: str) -> None:
        page.page.wait_for_selector("h1:text('Annotator')")
        page.page.fill("[name=name]", "ann")
        page.page.fill("[name=password]", password)
        page.page.click("button")
        page.ready()

    with running_browser() as browser, browser.new_context() as context:
        page = Annotator(context.new_page(), address)
        page.page.goto(address)
        log_in(PASSWORD)
        with_photo(page)
        page.click(200, 150)
        accounts.add("ann", "another horse")  # which ends all logins
        page.page.keyboard.press("Enter")
        log_in("another horse")
        page.until("annotations.length === 1")
        page.page.click("#annotator .account")
        page.page.click("text=Log out")
        page.appears("[name=password]")
        page.page.goto(address)
        page.appears("[name=password]")
        assert not page.problems
