"""The page on a fresh browser profile, empty or with a photo of a cat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from driver import Annotator


@pytest.fixture(scope="module", autouse=True)
def _browser() -> Iterator[None]:
    """One browser for all tests of a file; each has a profile of its own."""
    from driver import running_browser

    with running_browser():
        yield


@pytest.fixture
def page(server_url: str) -> Iterator[Annotator]:
    from driver import browser_page

    with browser_page(server_url) as opened:
        yield opened


@pytest.fixture
def cat(page: Annotator) -> Annotator:
    from driver import with_photo

    return with_photo(page)
