"""Images and their files stay in step, whatever fails or happens at the same time."""

from __future__ import annotations

import errno
import io
import os
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotator.errors import Conflict, FileUnavailable, InvalidRequest, NotFound, StorageFull
from annotator.imaging.decode import DecodedImage, decode
from annotator.storage.files import ImageFiles, content_key
from annotator.storage.library import ImageLibrary
from annotator.storage.local_files import LocalFiles
from annotator.storage.store import Store
from annotator.types import ImageRecord, Project
from tests.conftest import errors_of

pytest_plugins = ["postgres"]


def picture(seed: int = 0, kind: str = "TIFF") -> tuple[bytes, DecodedImage]:
    """A small picture; a TIFF has all three files: the original, what browsers show, the thumbnail."""
    pixels = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue(), decode(buffer.getvalue(), "picture", 10**6)


@pytest.fixture
def project(store: Store) -> Project:
    return store.create_project("birds", "ann")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def files(folder: Path) -> ImageFiles:
    return ImageFiles(LocalFiles(folder))


@pytest.fixture
def library(store: Store, files: ImageFiles) -> ImageLibrary:
    return ImageLibrary(store, files)


def record_of(project: Project, data: bytes) -> ImageRecord:
    name = uuid.uuid4().hex
    return ImageRecord(name, project.id, f"{name}.tif", content_key(data), "pixels", 40, 30)


def add(library: ImageLibrary, project: Project, seed: int = 0, kind: str = "TIFF") -> ImageRecord:
    data, decoded = picture(seed, kind)
    record = record_of(project, data)
    library.add(record, data, decoded)
    return record


def stored(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_added_image_has_its_files(library: ImageLibrary, project: Project, files: ImageFiles, folder: Path) -> None:
    tiff, png = add(library, project), add(library, project, 1, "PNG")
    assert files.original(tiff.content_key) == picture()[0]
    shown, kind = files.display(tiff.content_key)
    assert kind == "image/png" and shown == picture()[1].display
    assert files.display(png.content_key) == (picture(1, "PNG")[0], "image/png")
    assert files.thumbnail(png.content_key).startswith(b"\xff\xd8")
    assert files.keys() == {tiff.content_key, png.content_key} and len(stored(folder)) == 5


def test_a_refused_image_leaves_no_file(library: ImageLibrary, project: Project, folder: Path) -> None:
    data, decoded = picture()
    with pytest.raises(NotFound):
        library.add(record_of(Project(99, "none", "ann"), data), data, decoded)
    with pytest.raises(InvalidRequest):
        library.add(record_of(Project(2**70, "none", "ann"), data), data, decoded)
    assert stored(folder) == []


def test_a_refused_image_leaves_the_files_that_another_one_has(
    library: ImageLibrary, project: Project, folder: Path
) -> None:
    record = add(library, project)
    before = stored(folder)
    data, decoded = picture()
    with pytest.raises(Conflict):
        library.add(record, data, decoded)
    assert stored(folder) == before


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, StorageFull), (errno.EIO, FileUnavailable)])
def test_a_disk_that_fails_leaves_neither_row_nor_file(
    library: ImageLibrary,
    store: Store,
    project: Project,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    expected: type[Exception],
) -> None:
    sync, calls = os.fsync, iter(range(100))

    def fail_later(descriptor: int) -> None:
        if next(calls) == 3:  # one file is written, its folder synchronised, and then
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_later)
    with pytest.raises(expected, match=r"^[^\n]+\.$"):
        add(library, project)
    monkeypatch.undo()
    assert stored(folder) == [] and store.images(project.id) == (0, [])


def test_a_file_that_cannot_be_read_is_said_in_a_sentence(
    library: ImageLibrary, project: Project, files: ImageFiles, folder: Path
) -> None:
    record = add(library, project)
    for path in [folder / name for name in stored(folder)]:
        path.unlink()
        path.mkdir()  # reading it fails with something else than "not found", for root as well
    for read in (files.original, files.display, files.thumbnail):
        with pytest.raises(FileUnavailable, match=r"^[^\n]+\.$"):
            read(record.content_key)
        with pytest.raises(NotFound):
            read("0" * 64)


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileUnavailable, match=r"^[^\n]+\.$"):
        LocalFiles(tmp_path / "file" / "images")


def test_purging_removes_the_files_that_no_image_has(
    library: ImageLibrary, store: Store, project: Project, files: ImageFiles, folder: Path
) -> None:
    first, twin, other = add(library, project), add(library, project), add(library, project, 1)
    store.delete_image(first.id)
    store.delete_image(other.id)
    assert library.purge(project.id) == (2, 0)
    assert files.keys() == {twin.content_key}
    store.delete_image(twin.id)
    assert files.original(twin.content_key)
    assert library.purge() == (1, 0) and stored(folder) == []


def test_a_purge_during_an_upload_of_the_same_content_loses_nothing(
    library: ImageLibrary, store: Store, project: Project, files: ImageFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.delete_image(add(library, project).id)
    add_row = store.add_image

    def purge_first(*arguments: object, **options: object) -> None:
        assert library.purge() == (1, 0) and files.keys() == set()
        add_row(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "add_image", purge_first)
    record = add(library, project)
    assert files.original(record.content_key) == picture()[0] and files.thumbnail(record.content_key)


def test_uploads_and_purges_at_once_leave_every_image_its_files(
    store: Store, store_url: str, project: Project, files: ImageFiles, folder: Path
) -> None:
    other = Store(store_url)  # as another program
    uploads, library = ImageLibrary(store, files), ImageLibrary(other, ImageFiles(LocalFiles(folder)))

    def purge() -> None:
        library.purge()
        library.sweep()

    def upload(seed: int) -> None:
        for turn in range(6):
            record = add(uploads, project, seed % 2)
            if turn < 5:
                store.delete_image(record.id)

    assert errors_of(purge, upload) == [None] * 4
    for record in store.images(project.id)[1]:
        assert content_key(files.original(record.content_key)) == record.content_key
        assert files.thumbnail(record.content_key) and files.display(record.content_key)
    other.close()


def test_a_sweep_passes_over_a_file_that_is_finished_while_it_looks(
    library: ImageLibrary, project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(library, project)
    before, listing = stored(folder), Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [*listing(path), path / "renamed-since.tmp"])
    library.sweep()
    monkeypatch.undo()
    assert stored(folder) == before


def test_a_sweep_removes_what_a_crash_left_and_nothing_else(
    library: ImageLibrary, store: Store, project: Project, files: ImageFiles, folder: Path
) -> None:
    present, removed = add(library, project), add(library, project, 1)
    store.delete_image(removed.id)
    before = stored(folder)
    data, decoded = picture(2)
    files.add(content_key(data), data, decoded)  # its row never came
    (folder / "thumbnail" / "f00").write_bytes(b"")
    for name, age in (("old.tmp", 7200), ("new.tmp", 0)):
        (folder / "original" / name).write_bytes(b"part")
        os.utime(folder / "original" / name, (time.time() - age,) * 2)
    library.sweep()
    assert stored(folder) == sorted([*before, "original/new.tmp"])
    store.restore_image(removed.id)
    assert files.original(removed.content_key) and files.original(present.content_key)
