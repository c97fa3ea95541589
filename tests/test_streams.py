"""The stream of a project's events: over real connections, from a server with a login, and from two on one database."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import uvicorn
from journal_writer import keep

from annotator.errors import Busy
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import ChangedImage, ImageRecord, Project, ProjectVersion
from annotator.web import streams
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter

pytest_plugins = ["postgres"]

TAB = "a browser tab"


class Site:
    """A server in a thread, with its store."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings.store_url)
        self.space = Workspace(settings, self.store, FakeSegmenter())
        self.app = create_app(self.space, settings, page=False)
        self._server = uvicorn.Server(uvicorn.Config(self.app, port=0, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> Site:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.app.state.streams.close()
        self._server.should_exit = True
        self._thread.join()
        self.store.close()


class Listening:
    """The events of a stream, as they come."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self.reply.iter_lines():
                self._lines.put(line)
        except httpx.HTTPError:
            pass
        self._lines.put(None)

    def event(self) -> dict[str, Any] | None:
        """The next event; None at the stream's end."""
        while (line := self._lines.get(timeout=30)) is not None:
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return found
        return None


@contextmanager
def listening(site: Site, project: Project, user: str, **query: Any) -> Iterator[Listening]:
    url = f"http://127.0.0.1:{site.port}/api/v1/projects/{project.id}/events"
    headers = {"Authorization": f"Bearer {site.space.accounts.new_token(user, 'test')}"}
    if "last" in query:
        headers["Last-Event-ID"] = str(query.pop("last"))
    with httpx.stream("GET", url, params=query, headers=headers, timeout=30) as reply:
        assert reply.status_code == 200, reply.read()
        yield Listening(reply)
        # A thread is reading: closing alone would wait for what it reads next.
        reply.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_ASK_SECONDS", 0.05)
    monkeypatch.setattr(streams, "_CHECK_SECONDS", 0.1)


def settings_of(folder: Path, url: str = "") -> Settings:
    return Settings(data_dir=folder, database_url=url)


@pytest.fixture
def shared(tmp_path: Path) -> Project:
    """A project of ann with two images, shared with bob."""
    settings = settings_of(tmp_path)
    store = Store(settings.store_url)
    return fill(store)


def fill(store: Store) -> Project:
    accounts = Workspace(Settings(), store, FakeSegmenter()).accounts
    accounts.vouched("root")
    for name in ("ann", "bob", "eve"):
        accounts.vouched(name)
    project = store.create_project("birds", "ann")
    store.save_member(project.id, "bob", "reviewer")
    store.add_label(project.id, "bird")
    for name in "ab":
        store.add_image(ImageRecord(name, project.id, f"{name}.jpg", "sha", f"pixels-{name}", 40, 30))
    store.close()
    return project


@pytest.fixture
def site(tmp_path: Path, shared: Project) -> Iterator[Site]:
    with Site(settings_of(tmp_path)) as running:
        yield running


def test_what_others_change_is_told_as_it_happens(site: Site, shared: Project) -> None:
    store = site.store
    with listening(site, shared, "ann") as ann:
        first = ann.event()
        assert first and (first["images"], first["places"]) == ([], [])
        store.commit("b", "keep", [keep("b", "one", store.labels(shared.id)[0].id)], author="bob")
        told = ann.event()
        assert told is not None
        (change,) = told["images"]
        assert (change["by"], change["revision"]) == ("bob", 1)
        assert (change["image"]["id"], change["image"]["annotations"]) == ("b", 1)
        assert told["version"] > first["version"] and told["places"] is None
        store.review("b", "rejected", "bob", "more")
        told = ann.event()
        assert told and told["images"][0]["image"]["review_comment"] == "more"
        store.delete_image("b", "bob")
        told = ann.event()
        assert told and (told["images"], told["removed"]) == ([], [{"id": "b", "by": "bob"}])
        store.add_label(shared.id, "owl")
        told = ann.event()
        assert told and (told["labels"], told["project"]) == (True, False)


def test_an_image_is_taken_while_its_tab_listens(site: Site, shared: Project) -> None:
    with listening(site, shared, "bob") as bob:
        assert bob.event()
        with listening(site, shared, "ann", client=TAB) as ann:
            assert ann.event()
            site.store.take("a", "ann", TAB)
            told = bob.event()
            assert told and told["places"] == [{"image_id": "a", "user": "ann"}]
            before = site.store.places([shared.id])
            with site.store._writing() as connection:
                connection.exec_driver_sql("UPDATE places SET seen_at = seen_at - 14")
            time.sleep(0.5)
            with site.store._reading() as connection:
                late = connection.exec_driver_sql(
                    "SELECT count(*) FROM places WHERE seen_at < CAST(strftime('%s', 'now') AS INTEGER) - 5"
                ).scalar_one()
            assert late == 0 and site.store.places([shared.id]) == before, "the stream renews it"
        told = bob.event()
        assert told and told["places"] == [], "the tab is gone"


def test_a_stream_goes_on_where_an_earlier_one_ended(site: Site, shared: Project) -> None:
    version = site.store.version(shared.id).version
    site.store.set_status("a", "done", "bob")
    site.store.set_status("a", "in_progress", "bob")
    for where in ({"last": version}, {"after": version}, {"after": 0, "last": version}):
        with listening(site, shared, "ann", **where) as ann:
            told = ann.event()
            assert told and [each["image"]["status"] for each in told["images"]] == ["in_progress"], where
    with listening(site, shared, "ann", last=2**63 - 1) as ann:
        told = ann.event()
        assert told and told["reload"], "the database is an older one"


def test_a_version_that_cannot_be_is_refused(site: Site, shared: Project) -> None:
    url = f"http://127.0.0.1:{site.port}/api/v1/projects/{shared.id}/events"
    headers = {"Authorization": f"Bearer {site.space.accounts.new_token('ann', 'test')}"}
    for version in ("-1", str(2**63), "9" * 5000):
        refused = httpx.get(url, params={"after": version}, headers=headers)
        assert refused.status_code == 422 and refused.json()["detail"].startswith("after: ")
        refused = httpx.get(url, headers={**headers, "Last-Event-ID": version})
        assert refused.status_code == 422 and refused.json()["detail"].startswith("last-event-id: ")
    refused = httpx.get(url, params={"client": "tab\0of ann"}, headers=headers)
    assert refused.status_code == 422, "no database keeps that"


def test_changes_that_cannot_be_told_end_only_the_streams_that_wait_for_them(
    site: Site, shared: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask = site.store.images_changed_since

    def fail(project_id: int, version: int, limit: int) -> list[ChangedImage]:
        if version == 1:
            raise ZeroDivisionError
        return ask(project_id, version, limit)

    monkeypatch.setattr(site.store, "images_changed_since", fail)
    with listening(site, shared, "ann") as ann:
        assert ann.event()
        with listening(site, shared, "bob", after=1) as bob:
            assert bob.event() is None
        assert caplog.text.count("could not be told") == 1
        site.store.set_status("a", "done", "bob")
        told = ann.event()
        assert told and told["images"]


def test_too_many_changes_are_told_as_one(site: Site, shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST_IMAGES", 1)
    with listening(site, shared, "ann", after=0) as ann:
        told = ann.event()
        assert told and told["reload"] and told["images"] == []


def test_a_stream_ends_with_the_membership_and_with_the_token(site: Site, shared: Project) -> None:
    with listening(site, shared, "bob") as bob:
        assert bob.event()
        site.store.remove_member(shared.id, "bob")
        assert bob.event() is None, "nothing more is told"
    with listening(site, shared, "ann") as ann:
        assert ann.event()
        site.store.remove_token("ann", "test")
        assert ann.event() is None
    with listening(site, shared, "ann") as ann:
        assert ann.event()
        site.store.remove_project(shared.id)
        assert ann.event() is None


def test_one_user_has_so_many_streams_and_no_more(site: Site, shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_OF_ONE_USER", 1)
    url = f"http://127.0.0.1:{site.port}/api/v1/projects/{shared.id}/events"
    with listening(site, shared, "ann") as ann:
        assert ann.event()
        headers = {"Authorization": ann.reply.request.headers["Authorization"]}
        refused = httpx.get(url, headers=headers)
        assert refused.status_code == 503 and refused.headers["Retry-After"]
        assert refused.json()["detail"].startswith("Too many pages listen")
    with listening(site, shared, "bob") as bob:
        assert bob.event()


def listener(user: str = "ann", client: str | None = TAB) -> streams.Listener:
    return streams.Listener(1, user, lambda: None, client)


class Places:
    """A store in which nothing changes, and which notes who comes and goes."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def renew_places(self, tabs: Collection[tuple[str, str]]) -> None:
        self.told += [("here", client) for _, client in tabs]

    def leave_place(self, _user: str, client: str) -> None:
        self.told.append(("left", client))

    def versions(self, projects: list[int]) -> dict[int, ProjectVersion]:
        return dict.fromkeys(projects, ProjectVersion())

    def places(self, projects: list[int]) -> dict[int, list[Any]]:
        return {each: [] for each in projects}


def streams_of(store: Places) -> streams.Streams:
    return streams.Streams(cast("Workspace", SimpleNamespace(store=store)))


def test_the_late_end_of_an_old_connection_does_not_give_the_image_away() -> None:
    async def run() -> None:
        store = Places()
        open_streams = streams_of(store)
        old, new = listener(), listener()
        open_streams.add(old)
        open_streams.add(new)
        open_streams.remove(old)
        assert await asyncio.wait_for(new.events.get(), 10)
        while len(store.told) < 3:
            await asyncio.sleep(0.01)
        assert set(store.told) == {("here", TAB)}
        open_streams.remove(new)
        while store.told[-1] != ("left", TAB):
            await asyncio.sleep(0.01)

    asyncio.run(run())


def test_streams_count_from_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_OF_ONE_USER", 2)

    async def run() -> None:
        open_streams = streams_of(Places())
        begun = [listener(), listener()]
        for each in begun:
            open_streams.add(each)
        with pytest.raises(Busy):
            open_streams.add(listener())
        open_streams.remove(begun[0])  # it never began
        open_streams.add(listener())

    asyncio.run(run())


def test_a_silent_stream_is_kept_alive(site: Site, shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_BEAT_SECONDS", 0.05)
    with listening(site, shared, "ann") as ann:
        assert ann.event()
        assert any(ann._lines.get(timeout=10) == ":" for _ in range(10))


def test_two_servers_on_one_database_tell_each_others_changes(postgres_url: str, tmp_path: Path) -> None:
    project = fill(Store(postgres_url))
    settings = settings_of(tmp_path, postgres_url)
    with Site(settings) as one, Site(settings) as other, listening(one, project, "ann", client=TAB) as ann:
        assert ann.event()
        other.store.take("a", "ann", TAB)
        told = ann.event()
        assert told and told["places"] == [{"image_id": "a", "user": "ann"}]
        other.store.set_status("b", "done", "bob")
        told = ann.event()
        assert told and told["images"][0]["by"] == "bob"
