"""A format is one module: then it is found, exported over REST and on the command line."""

from __future__ import annotations

import csv
import errno
import io
import re
import shlex
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from annotator import formats
from annotator.cli.main import main
from annotator.errors import NotFound
from annotator.formats.registry import all_formats, find_format
from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import Annotation, Change, ImageRecord, Project
from annotator.web.auth import LOCAL_USER
from annotator.web.server import create_app
from annotator.workspace.annotations import NewObject
from annotator.workspace.exchange import Exchange, Selection
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter

BOXES = '''
"""Boxes as CSV: one line an object."""

import csv
import io

from annotator.formats.registry import Format


def write(dataset, stream):
    images = {image.id: image.name for image in dataset.images}
    labels = {label.id: label.name for label in dataset.labels}
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    lines = csv.writer(text)
    for each in dataset.annotations:
        lines.writerow([images[each.image_id], labels[each.label_id], *each.bbox])
    text.detach()


FORMAT = Format("boxes", "Boxes (CSV)", "text/csv", "boxes.csv", "Masks become boxes.", write)
'''
"""All that a newcomer writes to add a format."""


@pytest.fixture
def boxes_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the formats has one more module."""
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "boxes.py").write_text(BOXES)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path / "formats")])
    yield
    sys.modules.pop("annotator.formats.boxes", None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, allowed_hosts=("test",))


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    workspace = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    yield workspace
    workspace.store.close()


@pytest.fixture
def project(workspace: Workspace) -> Project:
    """A project with two objects on two images."""
    store = workspace.store
    project = store.create_project("birds", LOCAL_USER)
    label = store.add_label(project.id, "wing")
    for name in ("a/b.jpg", "c.jpg"):
        image = ImageRecord(name, project.id, name, "sha", "pixels", width=9, height=8)
        store.add_image(image)
        mask = rle.encode_at(np.ones((2, 3), bool), 4, 5, 8, 9)
        store.commit(name, "keep object", [Change(None, Annotation(name, name, label.id, mask, 6, rle.bbox(mask)))])
    return project


@pytest.fixture
def client(workspace: Workspace, settings: Settings) -> Iterator[TestClient]:
    app = create_app(workspace, settings, page=False)
    with TestClient(app, base_url="http://test", raise_server_exceptions=False) as running:
        yield running


NAMES = [
    *("coco", "coco-polygon", "coco-uncompressed", "cutouts", "cvat", "labelme", "masks", "png"),
    *("yolo-det", "yolo-seg"),
]


def test_formats_are_found_and_say_what_they_lose() -> None:
    found = all_formats()
    assert list(found) == NAMES
    for name, kind in found.items():
        assert kind.name == name and kind.title and kind.file_name and kind.media_type and kind.losses.endswith(".")


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(NotFound, match=r"There is no format 'pcx'; there are coco, "):
        find_format("pcx")


@pytest.mark.usefixtures("boxes_module")
def test_a_format_is_added_by_one_module(client: TestClient, workspace: Workspace, project: Project) -> None:
    assert sorted(all_formats()) == ["boxes", *NAMES]
    assert client.get("/api/v1/formats").json()[-1] == {
        "name": "boxes",
        "title": "Boxes (CSV)",
        "file_name": "boxes.csv",
        "losses": "Masks become boxes.",
        "has_subsets": False,
        "reads": False,
    }
    reply = client.get(f"/api/v1/projects/{project.id}/export/boxes")
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="boxes.csv"'
    lines = [["a/b.jpg", "wing", "4", "5", "3", "2"], ["c.jpg", "wing", "4", "5", "3", "2"]]
    assert list(csv.reader(io.StringIO(reply.text))) == lines
    one = client.get(f"/api/v1/projects/{project.id}/export/boxes", params={"image_id": "c.jpg"})
    assert list(csv.reader(io.StringIO(one.text))) == lines[1:]
    stream = io.BytesIO()
    workspace.exchange.export(project, "boxes", stream, Selection("c.jpg"))
    assert stream.getvalue() == one.content


@pytest.mark.usefixtures("boxes_module", "project")
def test_a_new_format_is_exported_by_the_command_line(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "boxes.csv"
    command = ["export", "birds", "--format", "boxes", "-o", str(out), "--data-dir", str(settings.data_dir)]
    assert main(command) == 0
    assert out.read_text().splitlines() == ["a/b.jpg,wing,4,5,3,2", "c.jpg,wing,4,5,3,2"]
    assert main([*command[:2], "--format", "pcx", *command[4:]]) == 2


@pytest.mark.usefixtures("boxes_module")
def test_a_format_that_is_only_written_says_so_when_a_file_of_it_is_imported(
    client: TestClient, project: Project
) -> None:
    reply = client.post(f"/api/v1/projects/{project.id}/import/boxes", files={"file": ("boxes.csv", b"a,b")})
    assert (reply.status_code, reply.json()["detail"]) == (422, "Boxes (CSV) can be written and not read.")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_routes_of_unknown_formats_and_of_other_projects_are_not_found(
    client: TestClient, workspace: Workspace, project: Project, method: str
) -> None:
    what = "export" if method == "GET" else "import"
    other = workspace.store.create_project("cats", "somebody else").id
    for path in (f"{project.id}/{what}/pcx", f"{other}/{what}/coco", f"999/{what}/coco"):
        files = {"file": ("x.json", b"{}")} if method == "POST" else None
        assert client.request(method, f"/api/v1/projects/{path}", files=files).status_code == 404, path
    mine = workspace.store.create_project("dogs", LOCAL_USER).id
    assert client.get(f"/api/v1/projects/{mine}/export/coco", params={"image_id": "c.jpg"}).status_code == 404


def test_an_export_is_whole_or_an_error(client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = client.get(f"/api/v1/projects/{project.id}/export/coco")
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert len(reply.json()["annotations"]) == 2
    broken = Annotation("bad", "c.jpg", 1, rle.empty(8, 9), 5, (0, 0, 1, 1))
    whole = Store.iter_annotations
    monkeypatch.setattr(Store, "iter_annotations", lambda store, number: [*whole(store, number), broken])
    reply = client.get(f"/api/v1/projects/{project.id}/export/coco")
    assert reply.status_code == 500 and "Annotation bad of c.jpg" in reply.json()["detail"]


def test_losses_are_told_in_numbers_before_the_download(client: TestClient, project: Project) -> None:
    losses = client.get(f"/api/v1/projects/{project.id}/export/coco/losses").json()
    assert losses["text"] == "All masks come back with every pixel (of 2 objects)."
    assert (losses["objects"], losses["changed"], losses["left_out"], losses["min_iou"]) == (2, 0, 0, 1.0)
    assert client.get(f"/api/v1/projects/{project.id}/export/pcx/losses").status_code == 404


@pytest.fixture
def photos(workspace: Workspace) -> Project:
    """A project with four images that have files, and an object on each."""
    project = workspace.store.create_project("photos", LOCAL_USER)
    label = workspace.store.add_label(project.id, "wing")
    for number in range(4):
        stream = io.BytesIO()
        Image.new("RGB", (9, 8), (number, 0, 0)).save(stream, "PNG")
        record, _ = workspace.images.add(project, f"{number}.png", stream.getvalue())
        mask = rle.encode_at(np.ones((2, 3), bool), 4, 5, 8, 9)
        workspace.annotations.keep(record, NewObject(label.id, mask))
    return project


def test_images_for_validation_are_chosen_by_share_and_seed(client: TestClient, photos: Project) -> None:
    def chosen(**parameters: float) -> list[str]:
        reply = client.get(f"/api/v1/projects/{photos.id}/export/yolo-seg", params=parameters)
        with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
            return [name for name in archive.namelist() if name.startswith("images/val/")]

    assert chosen() == [] and len(chosen(val=0.5, seed=1)) == 2
    assert chosen(val=0.5, seed=1) == chosen(val=0.5, seed=1) != chosen(val=0.5, seed=3)
    assert client.get(f"/api/v1/projects/{photos.id}/export/yolo-seg", params={"val": 2}).status_code == 422


def test_a_lost_file_of_an_image_is_named(client: TestClient, project: Project) -> None:
    reply = client.get(f"/api/v1/projects/{project.id}/export/cutouts")
    text = "The file of a/b.jpg is no longer stored."
    assert (reply.status_code, reply.json()["detail"]) == (404, text)


def test_an_import_tells_the_format_by_itself_and_is_undone_as_one_step(
    client: TestClient, workspace: Workspace, photos: Project
) -> None:
    store = workspace.store
    names = ["coco-polygon", "cutouts", "cvat", "labelme", "masks", "png", "yolo-seg"]
    exported = {name: client.get(f"/api/v1/projects/{photos.id}/export/{name}").content for name in names}
    before = {record.id: store.annotations(record.id) for record in store.iter_images(photos.id)}
    for image_id in before:
        store.undo(image_id)
    for name, data in exported.items():
        files = {"file": ("anything", data)}
        reply = client.post(f"/api/v1/projects/{photos.id}/import", files=files).json()
        assert reply == {"kept": 4, "present": 0, "problems": []}, name
        for image_id, (wanted,) in before.items():
            (found,) = store.annotations(image_id)
            assert (found.mask, found.label_id, found.source) == (wanted.mask, wanted.label_id, "import")
            store.undo(image_id)
            assert store.annotations(image_id) == []


def test_the_command_line_says_what_is_lost_and_imports_what_it_exported(
    settings: Settings, workspace: Workspace, photos: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "out.zip", ["--data-dir", str(settings.data_dir)]
    assert main(["export", "photos", "--format", "yolo-det", "--val", "0.5", "-o", str(out), *data]) == 0
    said = capsys.readouterr().err
    assert "4 objects of 4 images" in said and "All masks come back" in said and "Masks become boxes." in said
    assert main(["export", "photos", "--format", "labelme", "-o", str(out), *data]) == 0
    for record in workspace.store.iter_images(photos.id):
        workspace.store.undo(record.id)
    capsys.readouterr()
    assert main(["import", "photos", str(out), *data]) == 0
    assert capsys.readouterr().err == f"{out} -> photos: 4 objects\n"
    assert len(list(workspace.store.iter_annotations(photos.id))) == 4
    assert main(["import", "photos", str(tmp_path / "none"), *data]) == 2
    assert "none cannot be read (No such file or directory)." in capsys.readouterr().err


def test_an_export_that_fails_leaves_the_file_that_was_there(
    settings: Settings, project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.zip"
    out.write_bytes(b"before")
    command = ["export", project.name, "--format", "cutouts", "-o", str(out), "--data-dir", str(settings.data_dir)]
    assert main(command) == 2
    assert "The file of a/b.jpg is no longer" in capsys.readouterr().err
    assert out.read_bytes() == b"before" and list(tmp_path.glob("*.tmp")) == []
    with pytest.raises(SystemExit):
        main([*command, "--val", "7"])


def test_the_commands_of_the_document_run_and_every_format_is_described(
    settings: Settings, photos: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parent.parent / "docs" / "formats.md").read_text()
    described = re.findall(r"^\| `([\w-]+)` \| (?!\w+ \d)", text, re.MULTILINE)
    assert sorted(described) == sorted(NAMES)
    monkeypatch.chdir(tmp_path)
    for line in text.split("```")[1].strip().splitlines():
        assert main([*shlex.split(line)[1:], "--data-dir", str(settings.data_dir)]) == 0, line


def test_an_export_on_a_full_disk_is_one_sentence(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Exchange, "export", fail)
    reply = client.get(f"/api/v1/projects/{project.id}/export/masks")
    assert (reply.status_code, reply.json()["detail"]) == (507, "The export does not fit on the server's disk.")
