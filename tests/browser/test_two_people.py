"""Two people in one project, each with a browser: who is where, the next free image, changes, reviews, conflicts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from argon2 import PasswordHasher
from driver import CAT, EXECUTABLE, Annotator, photo, running_browser
from playwright.sync_api import Browser
from test_accessibility import violations

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
def address(tmp_path: Path) -> Iterator[str]:
    """A server with a project of ann, three photos in it, and bob who annotates it."""
    settings = Settings(data_dir=tmp_path, port=free_port())
    space = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    space.accounts = Accounts(space.store, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for name in ("ann", "bob"):
        space.accounts.add(name, PASSWORD)
    project = space.home("ann")
    space.store.save_member(project.id, "bob", "annotator")
    for tint in range(3):
        space.images.add(project, f"cat-{tint}.jpg", photo(CAT, 451, 300, tint=tint))
    app = create_app(space, settings)
    server = uvicorn.Server(uvicorn.Config(app, port=settings.port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{settings.port}"
    app.state.streams.close()
    server.should_exit = True
    thread.join()


@contextmanager
def person(browser: Browser, address: str, name: str) -> Iterator[Annotator]:
    with browser.new_context() as context:
        context.request.post(f"{address}/api/v1/session", data={"name": name, "password": PASSWORD})
        page = Annotator(context.new_page(), address)
        page.open()
        page.until("live")
        yield page
        assert not page.problems


def shown(page: Annotator, text: str) -> None:
    page.says("#annotator .team", text)


def test_two_people_in_one_project(address: str) -> None:
    with running_browser() as browser, person(browser, address, "ann") as ann:
        with person(browser, address, "bob") as bob:
            # Both begin with the first image that is not done. They open the last one, and are told of each other.
            for each in (ann, bob):
                each.until("image.name === 'cat-0.jpg'")
                each.page.click("#annotator .tile[title^='cat-2.jpg']")
            shown(ann, "Being annotated by bob")
            shown(bob, "Being annotated by ann")
            ann.appears("#annotator .tile.current .taken[data-by='bob']")
            assert "being annotated by bob" in str(ann.page.get_attribute("#annotator .tile.current", "aria-label"))

            # The next free image is another one for each of them.
            bob.press("j")
            bob.until("image.name === 'cat-0.jpg'")
            ann.press("j")
            ann.until("image.name === 'cat-1.jpg'")
            ann.appears("#annotator [aria-label^='cat-0.jpg: new'] .taken[data-by='bob']")

            # What bob keeps appears at ann's.
            ann.page.click("#annotator .tile[title^='cat-0.jpg']")
            ann.until("image.name === 'cat-0.jpg'")
            ann.until("photoReady")
            bob.click(200, 150)
            bob.press("Enter")
            ann.until("annotations.length === 1")
            ann.toast("bob changed this image.")
            assert ann.mask(ann.state("annotations[0].id")).any()

            # Bob says that it is done, ann rejects it with a comment, bob sees the comment.
            assert not ann.page.is_visible("#annotator .team >> text=Approve"), "it is in progress"
            assert not bob.page.is_visible("#annotator .team >> text=Approve")
            ann.press("v", "Shift+V")
            assert not ann.page.is_visible("#annotator .verdict"), "nothing is to be approved or rejected yet"
            bob.page.click("#annotator .status-button")
            shown(ann, "It waits for a review")
            bob.press("v", "Shift+V")
            assert not bob.page.is_visible("#annotator .verdict"), "bob is no reviewer"
            ann.page.click("#annotator [aria-label='New label']")
            ann.page.keyboard.type("Vv")
            assert ann.page.input_value("#annotator [aria-label='New label']") == "Vv"
            ann.page.fill("#annotator [aria-label='New label']", "")
            ann.press("?", "v", "Shift+V", "Escape")
            assert not ann.page.is_visible("#annotator .verdict"), "no key counts behind a dialog"
            assert ann.state("image.status") == "done"
            ann.press("Shift+V")
            assert violations(ann) == []
            ann.page.keyboard.type("The tail is")
            ann.page.click("#annotator .tile[title^='cat-1.jpg']")
            ann.until("image.name === 'cat-1.jpg'")
            assert ann.page.input_value("#annotator .verdict textarea") == "", "it belongs to the other image"
            ann.page.click("#annotator .tile[title^='cat-0.jpg']")
            ann.page.click("#annotator .team >> text=Reject …")
            ann.page.keyboard.press("End")
            ann.page.keyboard.type(" missing.")
            ann.page.click("#annotator .verdict button:text('Reject')")
            shown(bob, "Rejected by ann")
            shown(bob, "The tail is missing.")
            bob.toast("ann rejected this image: The tail is missing.")
            bob.appears("#annotator .tile.current .state.rejected")
            assert violations(bob) == []
            if os.environ.get("SHOTS"):
                for name, page in (("ann", ann), ("bob", bob)):
                    page.page.screenshot(path=f"{os.environ['SHOTS']}/{name}.png")

            # Ann deletes the object that bob corrects: both are told, and bob's mask is not lost.
            bob.press(".", "e")
            bob.click(230, 150)
            ann.press(".", "Delete")
            bob.until("annotations.length === 0")
            bob.toast("ann deleted the object that you are correcting. If you keep yours, it is a new object.")
            bob.press("Enter")
            ann.until("annotations.length === 1")

            # Ann approves; bob changes the image, and is told that this takes the approval back.
            bob.page.click("#annotator .status-button")
            bob.page.wait_for_selector("#annotator .toast:has-text('ann rejected')", state="detached")
            shown(ann, "ann had rejected it")
            ann.press("v")
            shown(bob, "Approved by ann")
            bob.click(60, 60)
            bob.press("Enter")
            bob.toast("ann had approved this image. With your change, it is in progress again.")
            ann.toast("bob took the approval of this image back: it is in progress.")
            ann.until("image.status === 'in_progress'")

            # A label that ann adds, and an image that ann removes while bob has it open.
            ann.page.fill('#annotator [aria-label="New label"]', "tail")
            ann.page.keyboard.press("Enter")
            bob.until("labels.length === 2")
            ann.page.hover("#annotator .tile.current")
            ann.page.click("#annotator [aria-label='Remove cat-0.jpg']")
            bob.toast("ann removed cat-0.jpg from the project.")
            bob.until("total === 2")
            bob.until("image.name === 'cat-1.jpg'")
            address_of = f"{address}/api/v1/projects/{ann.state('projectId')}/members/bob"
            assert ann.page.context.request.delete(address_of, headers={"Origin": address}).status == 204
            bob.toast("is no longer shared with you.")
        ann.until("places.every((place) => place.user === 'ann')")
