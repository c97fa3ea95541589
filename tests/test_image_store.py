"""Originals in an object store: shared by servers, cached by each, and whole whatever fails."""

from __future__ import annotations

import errno
import io
import os
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fastapi.testclient import TestClient
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from annotator.cli.main import main
from annotator.errors import CorruptData, ImageStoreUnavailable, InvalidSetting, NotFound
from annotator.imaging.decode import decode
from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage import local_files, object_files
from annotator.storage.cached_files import CachedFiles
from annotator.storage.files import ImageFiles, content_key
from annotator.storage.library import ImageLibrary
from annotator.storage.object_files import ObjectFiles
from annotator.storage.store import Store
from annotator.types import ImageRecord
from annotator.web.server import create_app
from annotator.workspace.annotations import NewObject
from annotator.workspace.workspace import Workspace
from tests.conftest import errors_of
from tests.fake_segmenter import FakeSegmenter

pytest_plugins = ["postgres"]


class Bucket(MemoryFileSystem):
    """An object store in memory that can do something before each request: fail, or wait."""

    protocol = "bucket"
    cachable = False
    store: dict[str, Any] = {}  # noqa: RUF012  # fsspec's own name
    pseudo_dirs = [""]  # noqa: RUF012
    before: Callable[[str, str], object] = staticmethod(lambda request, path: None)

    def _request(self, request: str, path: str) -> None:
        type(self).before(request, path)

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> bytes:
        self._request("read", path)
        return bytes(super().cat_file(path, *arguments, **options))

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._request("write", path)
        super().pipe_file(path, value, **options)

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        self._request("info", path)
        return dict(super().info(path, **options))

    def rm_file(self, path: str) -> None:
        self._request("remove", path)
        super().rm_file(path)


fsspec.register_implementation("bucket", Bucket, clobber=True)


@pytest.fixture
def url() -> Iterator[str]:
    """An empty object store."""
    yield f"bucket://{uuid.uuid4().hex}/labels"
    Bucket.store.clear()
    Bucket.before = staticmethod(lambda request, path: None)


def objects() -> list[str]:
    """What is in the store: the last two parts of each path."""
    return sorted("/".join(path.split("/")[-2:]) for path in Bucket.store)


def fail(*requests: str, error: Exception | None = None) -> None:
    """From now on such requests fail."""

    def before(request: str, path: str) -> None:
        if request in requests:
            raise error or RuntimeError("endpoint\ncould not be connected")

    Bucket.before = staticmethod(before)


def work_again() -> None:
    Bucket.before = staticmethod(lambda request, path: None)


def picture(seed: int = 0, kind: str = "TIFF") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


class Machine:
    """A server with a data folder of its own, on the database and the object store of others."""

    def __init__(self, folder: Path, store_url: str, url: str) -> None:
        folder.mkdir()
        self.cache = folder / "image-cache"
        self.settings = Settings(
            data_dir=folder, database_url=store_url, image_store=url, allowed_hosts=("test",), image_folders=()
        )
        self.space = Workspace(self.settings, Store(self.settings.store_url), FakeSegmenter())
        app = create_app(self.space, self.settings, page=False)
        self.client = TestClient(app, base_url="http://test", raise_server_exceptions=False)

    def upload(self, project: int, *files: tuple[str, bytes]) -> Any:
        sent = [("files", file) for file in files]
        return self.client.post(f"/api/v1/projects/{project}/images", files=sent)

    def cached(self) -> list[str]:
        return sorted(f"{path.parent.name}/{path.name}" for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def machines(tmp_path: Path, store_url: str, url: str) -> Iterator[list[Machine]]:
    """Two servers over one database and one object store."""
    found = [Machine(tmp_path / name, store_url, url) for name in ("first", "second")]
    yield found
    for each in found:
        each.space.exports.close()
        each.space.store.close()


@pytest.fixture
def machine(tmp_path: Path, url: str) -> Iterator[Machine]:
    """One server, on SQLite."""
    machine = Machine(tmp_path / "data", "", url)
    yield machine
    machine.space.exports.close()
    machine.space.store.close()


def project_of(machine: Machine) -> int:
    return int(machine.client.get("/api/v1/status").json()["project_id"])


def is_a_sentence(reply: Any, status: int) -> bool:
    return bool(reply.status_code == status and reply.json()["detail"].endswith(".") and "\n" not in reply.text)


def test_what_one_server_stores_another_one_opens_exports_and_purges(machines: list[Machine]) -> None:
    first, second = machines
    project = project_of(first)
    data = {"a.tif": picture(), "b.png": picture(1, "PNG")}
    images = first.upload(project, *data.items()).json()["images"]
    assert len(objects()) == 5 and first.cached() == objects() and second.cached() == []
    for image in images:
        for part in ("pixels", "thumbnail"):
            replies = [each.client.get(f"/api/v1/images/{image['id']}/{part}") for each in machines]
            assert [each.status_code for each in replies] == [200, 200] and replies[0].content == replies[1].content
        assert second.client.post(f"/api/v1/images/{image['id']}/open").status_code == 200
        record = second.space.store.image(image["id"])
        label = second.space.store.labels(project)[0]
        second.space.annotations.keep(record, NewObject(label.id, rle.encode(np.ones((30, 40), bool))))
    assert second.cached() == objects()
    for each in machines:
        with zipfile.ZipFile(
            io.BytesIO(each.client.get(f"/api/v1/projects/{project}/export/yolo-seg").content)
        ) as found:
            assert set(data.values()) <= {found.read(name) for name in found.namelist()}
    first.client.delete(f"/api/v1/images/{images[0]['id']}")
    assert second.client.delete(f"/api/v1/projects/{project}/bin").json() == {"removed": 1}
    assert objects() == second.cached() and len(objects()) == 2
    assert len(first.cached()) == 5, "nobody can ask for them any more"
    assert first.client.get(f"/api/v1/images/{images[0]['id']}/pixels").status_code == 404
    first.space.images.library.sweep()
    assert first.cached() == objects()


def test_the_commands_work_on_the_object_store(machine: Machine, tmp_path: Path, url: str) -> None:
    project = project_of(machine)
    image, other = machine.upload(project, ("a.tif", picture()), ("b.tif", picture(1))).json()["images"]
    machine.client.delete(f"/api/v1/images/{other['id']}")
    where = ["--data-dir", str(tmp_path / "elsewhere"), "--image-store", url]
    (tmp_path / "elsewhere").mkdir()
    where += ["--database-url", machine.settings.store_url]
    out = tmp_path / "out.zip"
    assert main(["export", str(project), "--format", "yolo-seg", "-o", str(out), *where]) == 0
    with zipfile.ZipFile(out) as found:
        assert picture() in {found.read(name) for name in found.namelist()}
    assert main(["purge", *where]) == 0
    assert len(objects()) == 3 and machine.client.get(f"/api/v1/images/{image['id']}/pixels").status_code == 200


def test_an_upload_is_there_as_a_whole_or_not_at_all_whichever_request_fails(machine: Machine) -> None:
    project = project_of(machine)
    for turn in range(100):
        count = iter(range(100))

        def before(request: str, path: str, count: Iterator[int] = count, turn: int = turn) -> None:
            if next(count) == turn:
                raise OSError(errno.EIO, "gone")

        Bucket.before = staticmethod(before)
        reply = machine.upload(project, ("a.tif", picture(turn)))
        work_again()
        if reply.status_code == 200:
            break
        assert is_a_sentence(reply, 503) and reply.headers["Retry-After"] == "2"
        assert machine.space.store.images(project) == (0, [])
    assert turn == 9, "of three files each: is it there, write it, is it still there"
    machine.space.images.library.sweep()
    assert {name.partition("/")[2] for name in objects()} == {content_key(picture(turn))}
    assert machine.cached() == objects()


def test_many_files_that_a_store_refuses_are_one_503(machine: Machine) -> None:
    fail("write")
    reply = machine.upload(project_of(machine), ("a.tif", picture()), ("b.tif", picture(1)))
    assert is_a_sentence(reply, 503) and reply.headers["Retry-After"] == "2"


@pytest.mark.parametrize("error", [RuntimeError("a\nb"), PermissionError(13, "denied"), TimeoutError(), ValueError()])
def test_an_image_that_cannot_be_fetched_is_a_503_and_is_there_afterwards(
    machines: list[Machine], error: Exception
) -> None:
    first, second = machines
    (image,) = first.upload(project_of(first), ("a.png", picture(0, "PNG"))).json()["images"]
    fail("read", error=error)
    for part in ("pixels", "thumbnail"):
        reply = second.client.get(f"/api/v1/images/{image['id']}/{part}")
        assert is_a_sentence(reply, 503) and reply.headers["Retry-After"] == "2"
    assert second.cached() == []
    assert first.client.get(f"/api/v1/images/{image['id']}/thumbnail").status_code == 200, "its cache needs no store"
    work_again()
    assert second.client.get(f"/api/v1/images/{image['id']}/pixels").content == picture(0, "PNG")


def test_a_lost_and_a_damaged_original_are_said(machines: list[Machine]) -> None:
    first, second = machines
    project = project_of(first)
    image, other = first.upload(project, ("a.png", picture(0, "PNG")), ("b.png", picture(1, "PNG"))).json()["images"]
    for path in [each for each in Bucket.store if "/original/" in each]:
        if path.endswith(content_key(picture(1, "PNG"))):
            del Bucket.store[path]
        else:
            fsspec.filesystem("bucket").pipe_file(path, picture(0, "PNG")[:-9])
    damaged = second.client.get(f"/api/v1/images/{image['id']}/pixels")
    lost = second.client.get(f"/api/v1/images/{other['id']}/pixels")
    assert is_a_sentence(damaged, 500) and "damaged" in damaged.json()["detail"]
    assert is_a_sentence(lost, 404) and "no longer stored" in lost.json()["detail"]
    with pytest.raises(CorruptData):
        second.space.images.pixels(second.space.store.image(image["id"]))
    assert second.cached() == []


def test_a_purge_that_the_store_refuses_can_be_repeated(machine: Machine) -> None:
    project = project_of(machine)
    (image,) = machine.upload(project, ("a.tif", picture())).json()["images"]
    machine.client.delete(f"/api/v1/images/{image['id']}")
    fail("remove")
    assert is_a_sentence(machine.client.delete(f"/api/v1/projects/{project}/bin"), 503)
    assert len(objects()) == 3
    work_again()
    machine.space.images.library.sweep()
    assert objects() == machine.cached() == []


def test_uploads_and_purges_of_several_servers_at_once_leave_every_image_its_files(machines: list[Machine]) -> None:
    project = machines[0].space.store.create_project("birds", "ann")

    def purge() -> None:
        machines[1].space.images.library.purge()
        machines[1].space.images.library.sweep()

    def upload(seed: int) -> None:
        data = picture(seed % 2)
        decoded = decode(data, "picture", 10**6)
        space = machines[seed % 2].space
        for turn in range(6):
            name = uuid.uuid4().hex
            record = ImageRecord(name, project.id, f"{name}.tif", content_key(data), "pixels", 40, 30)
            space.images.library.add(record, data, decoded)
            if turn < 5:
                space.store.delete_image(record.id)

    assert errors_of(purge, upload) == [None] * 4
    for name in objects():
        if name.startswith("original/"):
            assert content_key(ObjectFiles(machines[0].settings.image_store).read(name)) == name.partition("/")[2]
    for record in machines[0].space.store.images(project.id)[1]:
        for part in ("original", "display", "thumbnail"):
            assert f"{part}/{record.content_key}" in objects()


# --- a store that does not answer ---


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opens when the test ends at the latest."""
    gate = threading.Event()
    yield gate
    gate.set()


def wait_for(gate: threading.Event, *requests: str) -> None:
    Bucket.before = staticmethod(lambda request, path: request in requests and gate.wait(60))


def test_waiting_for_a_store_that_does_not_answer_has_an_end_and_takes_few_threads(
    url: str, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ObjectFiles(url)
    files.write("original/a", b"a")
    monkeypatch.setattr(object_files, "_ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(object_files, "_TURN_SECONDS", 0.01)
    wait_for(gate, "read")
    before = threading.active_count()
    for _ in range(30):
        with pytest.raises(ImageStoreUnavailable):
            files.read("original/a")
    assert threading.active_count() - before == object_files._AT_ONCE
    gate.set()
    monkeypatch.undo()
    assert files.read("original/a") == b"a"


def test_a_removal_ends_when_no_deletion_is_under_way(url: str, gate: threading.Event) -> None:
    files = ObjectFiles(url)
    for name in ("original/a", "original/b"):
        files.write(name, b"")
    started = threading.Barrier(2)

    def before(request: str, path: str) -> None:
        if request == "remove" and path.endswith("a"):
            started.wait(60)
            gate.wait(60)
        elif request == "remove":
            raise OSError("refused")

    Bucket.before = staticmethod(before)
    with ThreadPoolExecutor(1) as pool:
        removal = pool.submit(files.remove, ["original/b", "original/a"])
        started.wait(60)
        with pytest.raises(TimeoutError):
            removal.result(0.05)
        gate.set()
        with pytest.raises(ImageStoreUnavailable):
            removal.result(60)
    assert objects() == ["original/b"]


# --- the cache ---


def cache_of(folder: Path, url: str, budget: int) -> CachedFiles:
    return CachedFiles(folder, ObjectFiles(url), lambda name, data: None, budget)


def test_the_cache_keeps_what_was_used_last_within_its_budget(tmp_path: Path, url: str) -> None:
    files = cache_of(tmp_path, url, 32_000)
    names = [f"original/{number:03}" for number in range(100)]
    clock = iter(range(10**6))

    def tick(name: str) -> None:
        os.utime(tmp_path / name, (next(clock), next(clock)))

    for name in names:
        files.write(name, bytes(1000))
        tick(name)
        assert files.read(names[0]) == bytes(1000)
        tick(names[0])
        assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 32_000
    kept = {f"original/{path.name}" for path in (tmp_path / "original").iterdir()}
    assert names[0] in kept and set(names[-20:]) <= kept
    assert all(files.read(name) == bytes(1000) for name in names), "what is not in the cache is in the store"


def test_reading_counts_as_use(tmp_path: Path, url: str) -> None:
    files = cache_of(tmp_path, url, 1000)
    files.write("original/a", b"a")
    os.utime(tmp_path / "original" / "a", (0, 0))
    files.read("original/a")
    assert (tmp_path / "original" / "a").stat().st_mtime > 0


def test_a_full_disk_of_the_cache_keeps_nobody_from_working(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files = cache_of(tmp_path, url, 1000)
    monkeypatch.setattr(local_files, "write_whole", full)
    files.write("original/a", b"a")
    assert files.read("original/a") == b"a" and not (tmp_path / "original" / "a").exists()


def test_sizes_are_those_of_the_originals_few_or_many(tmp_path: Path, url: str) -> None:
    files = ObjectFiles(url)
    assert files.sizes([f"original/{number}" for number in range(300)]) == {}
    for number in range(5):
        files.write(f"original/{number}", bytes(number))
    few, many = range(3, 7), range(1, 300)
    assert files.sizes([f"original/{n}" for n in few]) == {"original/3": 3, "original/4": 4}
    assert files.sizes([f"original/{n}" for n in many]) == {f"original/{n}": n for n in range(1, 5)}
    assert ImageFiles(files).sizes(["4", "x"]) == {"4": 4, "x": 0}


# --- the setting ---


def test_a_file_url_is_a_folder_that_has_to_be_there(tmp_path: Path) -> None:
    shared = tmp_path / "a b"
    settings = Settings(data_dir=tmp_path / "data", image_store=f"file://{tmp_path}/a%20b")
    with pytest.raises(InvalidSetting, match="there is no folder"):
        ImageFiles.of(settings)
    assert not shared.exists()
    shared.mkdir()
    files = ImageFiles.of(settings)
    data = picture()
    files.add(content_key(data), data, decode(data, "a", 10**6))
    assert files.keys() == {content_key(data)} and not (tmp_path / "data").exists()
    assert (shared / "original" / content_key(data)).read_bytes() == data
    with pytest.raises(NotFound):
        files.original("0" * 64)


@pytest.mark.parametrize(("url", "says"), [("carrier-pigeon://a", "carrier-pigeon"), ("adl://a/b", "not installed")])
def test_a_store_that_cannot_be_used_is_one_line(
    url: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["purge", "--data-dir", str(tmp_path), "--image-store", url]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("annotator: The image store ") and says in line


def test_a_refused_image_leaves_nothing_in_the_store(tmp_path: Path, url: str, store: Store) -> None:
    library = ImageLibrary(store, ImageFiles.of(Settings(data_dir=tmp_path, image_store=url)))
    data = picture()
    record = ImageRecord("i", 99, "a.tif", content_key(data), "pixels", 40, 30)
    with pytest.raises(NotFound):
        library.add(record, data, decode(data, "picture", 10**6))
    assert objects() == []
