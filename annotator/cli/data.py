"""The data folder of a server, for the commands that work on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from annotator.errors import NotFound
from annotator.settings import Settings

if TYPE_CHECKING:
    from annotator.storage.store import Store
    from annotator.types import Project


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


def find_project(store: Store, wanted: str) -> Project:
    """The project of this name or, if there is none, of this id. Raises NotFound."""
    from annotator.web.auth import LOCAL_USER

    projects = store.projects(LOCAL_USER)
    found = [each for each in projects if each.name == wanted] or [each for each in projects if str(each.id) == wanted]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{each.id} ({each.name})" for each in found or projects) or "none"
    if found:
        raise NotFound(f"There are {len(found)} projects called {wanted!r}; choose one by its id: {known}.")
    raise NotFound(f"There is no project {wanted!r}. The projects are: {known}.")
