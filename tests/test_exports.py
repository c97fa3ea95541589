"""Exports in the background: progress, cancelling, one user's share, and the same bytes as at once."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from annotator.errors import Busy, Cancelled, Conflict, NotFound
from annotator.formats.registry import all_formats
from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import LOCAL_USER, Project
from annotator.web.server import create_app
from annotator.workspace import export_file, exports
from annotator.workspace.annotations import NewObject
from annotator.workspace.exchange import Selection
from annotator.workspace.export_file import ExportFile
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = Settings(data_dir=tmp_path, allowed_hosts=("test",))
    workspace = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    yield workspace
    workspace.exports.close()
    workspace.store.close()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace, workspace.settings, page=False), base_url="http://test") as running:
        yield running


@pytest.fixture
def photos(workspace: Workspace) -> Project:
    """A project with three images that have files, and an object on each."""
    project = workspace.store.create_project("photos", LOCAL_USER)
    label = workspace.store.add_label(project.id, "wing")
    for number in range(3):
        stream = io.BytesIO()
        Image.new("RGB", (9, 8), (number, 0, 0)).save(stream, "PNG")
        record, _ = workspace.images.add(project, f"{number}.png", stream.getvalue())
        workspace.annotations.keep(record, NewObject(label.id, rle.encode_at(np.ones((2, 3), bool), 4, 5, 8, 9)))
    return project


class Gate:
    """Files of images are read one by one, each when the test says so."""

    def __init__(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = self._turns = 0
        self._changed = threading.Condition()
        original = workspace.images.files.original
        monkeypatch.setattr(workspace.images.files, "original", lambda key: self._wait() and original(key))

    def open(self, turns: int = 1) -> None:
        """Let so many more files be read, in the order in which they were asked for."""
        with self._changed:
            self._turns += turns
            self._changed.notify_all()

    def _wait(self) -> bool:
        with self._changed:
            self.asked += 1
            turn = self.asked
            return self._changed.wait_for(lambda: turn <= self._turns)


@pytest.fixture
def gate(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(workspace, monkeypatch)
    yield gate
    gate.open(100)


def when(condition: Callable[[], Any]) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.005)
    raise AssertionError("it did not happen")


def test_an_export_tells_its_progress_and_gives_the_bytes_of_one_at_once(
    client: TestClient, photos: Project, gate: Gate
) -> None:
    begun = client.post(f"/api/v1/projects/{photos.id}/exports/yolo-seg", params={"val": 0.3})
    assert begun.status_code == 202
    address = f"/api/v1/exports/{begun.json()['id']}"
    for done in range(3):
        state = when(lambda done=done: (now := client.get(address).json())["done"] == done and now["total"] and now)
        assert (state["state"], state["total"]) == ("running", 3)
        assert client.get(f"{address}/file").json()["detail"] == "The export is not written yet."
        gate.open()
    state = when(lambda: (now := client.get(address).json())["state"] == "done" and now)
    fetched = client.get(f"{address}/file")
    assert int(fetched.headers["Content-Length"]) == state["size"] == len(fetched.content)
    assert fetched.headers["Content-Disposition"] == 'attachment; filename="yolo-seg.zip"'
    gate.open(3)
    at_once = client.get(f"/api/v1/projects/{photos.id}/export/yolo-seg", params={"val": 0.3})
    assert fetched.content == at_once.content == client.get(f"{address}/file").content


def test_an_export_has_only_finished_images_if_that_is_asked_for(
    client: TestClient, workspace: Workspace, photos: Project
) -> None:
    first, second, _ = workspace.store.iter_images(photos.id)
    workspace.annotations.delete(second, [each.id for each in workspace.store.annotations(second.id)], None)
    for each in (first, second):
        workspace.store.set_status(each.id, "done")
    address = f"/api/v1/projects/{photos.id}/export/coco"
    document = client.get(address, params={"finished": True}).json()
    assert [each["file_name"] for each in document["images"]] == ["0.png", "1.png"]
    assert len(document["annotations"]) == 1
    assert len(client.get(address).json()["images"]) == 3
    told = client.get(f"{address}/losses", params={"finished": True}).json()
    assert (told["images"], told["empty"]) == (2, 1)
    assert told["text"].endswith("1 of 2 images has no objects.")


def test_a_cancelled_export_stops_and_is_gone(workspace: Workspace, photos: Project, gate: Gate) -> None:
    export = workspace.exports.start(photos, "cutouts", "ann")
    when(lambda: export.total)
    workspace.exports.cancel(export.id)
    gate.open()
    assert when(lambda: export.error) == "The export was cancelled." and export.done < 3
    when(lambda: export.file.closed)
    for ask in (workspace.exports.find, workspace.exports.cancel):
        with pytest.raises(NotFound):
            ask(export.id)


def test_an_export_that_fails_says_why(workspace: Workspace, photos: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: str) -> bytes:
        raise NotFound("It is not there.")

    monkeypatch.setattr(workspace.images.files, "original", lost)
    export = workspace.exports.start(photos, "cutouts", "ann")
    assert when(lambda: export.error) == "The file of 0.png is no longer stored."
    with pytest.raises(Conflict):
        workspace.exports.content(export)


def test_a_user_has_two_exports_at_most_and_a_new_one_takes_the_place_of_a_whole_one(
    client: TestClient, workspace: Workspace, photos: Project, gate: Gate
) -> None:
    address = f"/api/v1/projects/{photos.id}/exports"
    first = client.post(f"{address}/coco").json()["id"]
    when(lambda: workspace.exports.find(first).state == "done")
    slow = [client.post(f"{address}/cutouts").json()["id"] for _ in range(2)]
    assert client.get(f"/api/v1/exports/{first}").status_code == 404
    refused = client.post(f"{address}/coco")
    assert refused.status_code == 503 and "Two of your exports" in refused.json()["detail"]
    workspace.exports.start(photos, "coco", "somebody else")
    for each in slow:
        assert client.delete(f"/api/v1/exports/{each}").status_code == 204


def test_files_that_nobody_fetches_are_forgotten(
    workspace: Workspace, photos: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = workspace.exports.start(photos, "coco", "ann")
    when(lambda: export.state == "done")
    reading = workspace.exports.content(export)
    begun = next(reading)
    monkeypatch.setattr(exports, "_KEPT_SECONDS", -1.0)
    with pytest.raises(NotFound):
        workspace.exports.find(export.id)
    assert export.file.closed
    assert len(begun) + sum(map(len, reading)) == export.size, "a download that began goes on"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
def test_a_download_that_its_reader_gives_up_leaves_no_file_open(workspace: Workspace, photos: Project) -> None:
    export = workspace.exports.start(photos, "coco", "ann")
    when(lambda: export.state == "done")
    before = len(list(Path("/proc/self/fd").iterdir()))
    kept = [workspace.exports.content(export) for _ in range(20)]  # none of them is ever read
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    workspace.exports.cancel(export.id)
    with pytest.raises(NotFound):
        next(kept[0])


def test_a_cancelled_export_counts_until_its_thread_stops_and_one_that_waits_is_gone_at_once(
    workspace: Workspace, photos: Project, gate: Gate
) -> None:
    begin = workspace.exports.start
    slow = [begin(photos, "cutouts", "ann") for _ in range(2)]
    when(lambda: all(each.total for each in slow))
    waits = begin(photos, "cutouts", "bob")
    workspace.exports.cancel(waits.id)
    assert waits.file.closed
    for each in slow:
        workspace.exports.cancel(each.id)
    with pytest.raises(Busy, match="Two of your exports"):
        begin(photos, "coco", "ann")
    gate.open(100)
    when(lambda: all(each.file.closed for each in slow))
    last = begin(photos, "coco", "ann")
    when(lambda: last.state == "done")


def test_a_user_with_fewer_exports_in_writing_goes_first(workspace: Workspace, photos: Project, gate: Gate) -> None:
    begin = partial(workspace.exports.start, photos, "cutouts")
    first, second = (begin("ann") for _ in range(2))
    when(lambda: gate.asked == 2)
    bob = [begin("bob") for _ in range(2)]
    cid = begin("cid")
    workspace.exports.cancel(first.id)
    workspace.exports.cancel(second.id)
    gate.open(2)
    when(lambda: cid.total and bob[0].total)
    assert not bob[1].total


def test_every_format_stops_within_an_image(workspace: Workspace, photos: Project) -> None:
    """Also while it works on the objects of one image, after they were checked."""
    record = next(iter(workspace.store.iter_images(photos.id)))
    label = workspace.store.labels(photos.id)[0]
    for row in range(5):
        workspace.annotations.keep(record, NewObject(label.id, rle.encode_at(np.ones((1, 4), bool), 0, row, 8, 9)))
    for name in all_formats():

        def write(check: Callable[[], None], name: str = name) -> None:
            file = ExportFile(io.BytesIO(), Path("/"), check)
            workspace.exchange.export(photos, name, file, Selection(record.id), check=check)

        assert stopped_after(write, 1 << 30) > (6 if name.startswith("coco") else 2 * 6)
        assert stopped_after(write, 7) <= 11, "nothing more but ends of the archive"


def test_comparing_for_every_format_stops_while_objects_are_read_and_while_they_are_compared(
    workspace: Workspace, photos: Project
) -> None:
    for kind in all_formats().values():
        for image_id, read in ((None, 3), (next(iter(workspace.store.iter_images(photos.id))).id, 0)):

            def compare(check: Callable[[], None], name: str = kind.name, image_id: str | None = image_id) -> None:
                workspace.exchange.losses(photos, name, Selection(image_id), check)

            calls = stopped_after(compare, 1 << 30)
            assert calls >= read + (2 * (3 if image_id is None else 1) if kind.restored else 0)
            for each in range(calls):
                assert stopped_after(compare, each) == each + 1


def stopped_after(work: Callable[[Callable[[], None]], object], calls: int) -> int:
    """How often some work looks whether it goes on, if it is told to stop after so many times."""
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > calls:
            raise Cancelled("Enough.")

    with suppress(Cancelled):
        work(check)
    return asked


@pytest.mark.parametrize("path", ["export/coco/losses", "export/coco"])
def test_work_ends_when_its_client_has_gone(
    workspace: Workspace, photos: Project, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(*_: Any, check: Callable[[], None]) -> None:
        begun.set()
        try:
            while True:
                check()
                time.sleep(0.001)
        finally:
            ended.set()

    monkeypatch.setattr(workspace.exchange, "losses", lambda *arguments: endless(check=arguments[-1]))
    monkeypatch.setattr(workspace.exchange, "export", endless)
    app = create_app(workspace, workspace.settings, page=False)
    url = f"/api/v1/projects/{photos.id}/{path}"
    scope = {"type": "http", "method": "GET", "path": url, "query_string": b"", "headers": [(b"host", b"test")]}

    async def receive() -> dict[str, Any]:
        await asyncio.to_thread(begun.wait, 60)
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    asyncio.run(app(scope, receive, send))
    assert begun.is_set() and ended.is_set()


def test_an_export_leaves_room_on_the_disk_and_is_not_endless(
    workspace: Workspace, photos: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_file, "_STEP", 1)
    for limit, value, sentence in (
        ("_FREE_BYTES", 1 << 60, "The export does not fit on the server's disk."),
        ("_MOST_BYTES", 10, "The export is larger than 0 GiB: export the images in parts."),
    ):
        monkeypatch.setattr(export_file, limit, value)
        export = workspace.exports.start(photos, "coco", "ann")
        assert when(lambda export=export: export.error) == sentence


def test_closing_does_not_wait_for_a_file_that_is_written(workspace: Workspace, photos: Project, gate: Gate) -> None:
    running = workspace.exports.start(photos, "cutouts", "ann")
    when(lambda: running.total)
    workspace.exports.close()  # the gate is shut: waiting for the thread would never end
    assert running.state == "running"
    gate.open()
    when(lambda: running.file.closed)
