"""The data folder of a server, for the commands that work on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from annotator.errors import NotFound
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.storage.store import Store


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The database. A server may be using it. Raises NotFound if there is no data folder, and makes none."""
    from annotator.storage.store import Store

    if not settings.data_dir.is_dir():
        raise NotFound(f"There is no data folder {settings.data_dir}.")
    store = Store(settings.store_url)
    try:
        yield store
    finally:
        store.close()
