"""Importing and exporting with a real database: nothing lost, nothing doubled, nothing half-added."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from annotator.errors import Busy, DatabaseUnavailable, NotJson, StorageFull
from annotator.formats import png_file
from annotator.imaging.budget import MemoryBudget
from annotator.masks import rle
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import MAX_NAME, ImageRecord, Project
from annotator.web.auth import LOCAL_USER
from annotator.web.server import create_app
from annotator.workspace.exchange import Imported
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter
from tests.test_archive import zipped


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, allowed_hosts=("test",), max_upload_bytes=1 << 20)


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    workspace = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    yield workspace
    workspace.store.close()


@pytest.fixture
def project(workspace: Workspace) -> Project:
    """A project with two images."""
    project = workspace.store.create_project("birds", LOCAL_USER)
    for name in ("a.png", "b.png"):
        workspace.store.add_image(ImageRecord(name, project.id, name, "sha", "pixels", width=64, height=48))
    return project


def square(number: int, **fields: object) -> dict[str, Any]:
    """A small square, another one for each number."""
    x, y = number % 50, number // 50
    polygon = [x, y, x + 5, y, x + 5, y + 5, x, y + 5]
    return {"id": number, "image_id": 1, "category_id": 1, "segmentation": [polygon], **fields}


def document(*annotations: dict[str, Any], **fields: object) -> dict[str, Any]:
    images = [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}, {"id": 2, "file_name": "b.png"}]
    categories = [{"id": 1, "name": "cat"}, {"id": 90, "name": "toothbrush"}]
    return {"images": images, "categories": categories, "annotations": list(annotations), **fields}


def take(workspace: Workspace, project: Project, file: object) -> Imported:
    return workspace.exchange.import_file(project, "coco", io.BytesIO(json.dumps(file).encode()))


def exported(workspace: Workspace, project: Project) -> dict[str, Any]:
    stream = io.BytesIO()
    workspace.exchange.export(project, "coco", stream)
    file: dict[str, Any] = json.loads(stream.getvalue())
    return file


def names(workspace: Workspace, project: Project) -> list[str]:
    return [label.name for label in workspace.store.labels(project.id)]


# --- round trips ---


def test_crowds_category_ids_sources_and_unused_categories_survive_a_round_trip(
    workspace: Workspace, project: Project
) -> None:
    assert take(
        workspace, project, document(square(1, category_id=90, iscrowd=1), square(2, score=0.5, source="box"))
    ) == (
        2,
        0,
        [],
    )
    file = exported(workspace, project)
    assert [each.get("source") for each in file["annotations"]] == [None, "box"]
    assert [each.source for each in workspace.store.annotations("a.png")] == ["import", "box"]
    assert [(each["id"], each["name"]) for each in file["categories"]] == [(1, "cat"), (90, "toothbrush")]
    kept = [(each["category_id"], each["iscrowd"], each.get("score")) for each in file["annotations"]]
    assert kept == [(90, 1, None), (1, 0, 0.5)]
    other = workspace.store.create_project("copy", LOCAL_USER)
    for name in ("a.png", "b.png"):
        workspace.store.add_image(ImageRecord(f"copy-{name}", other.id, name, "sha", "pixels", width=64, height=48))
    assert take(workspace, other, file) == (2, 0, [])
    assert exported(workspace, other) == file


def test_a_crowd_stays_one_while_it_is_edited_undone_and_redone(workspace: Workspace, project: Project) -> None:
    store = workspace.store
    take(workspace, project, document(square(1, iscrowd=1), square(2)))
    record = store.image("a.png")
    first, second = store.annotations("a.png")
    assert (first.crowd, second.crowd) == (True, False)
    other = rle.encode_at(np.ones((3, 3), bool), 20, 20, 48, 64)
    workspace.annotations.update(record, first.id, {"mask": other}, None)
    workspace.annotations.clean(record, [first.id], 5, 0, None)
    assert store.annotation("a.png", first.id).crowd
    workspace.annotations.delete(record, [first.id], None)
    for _ in range(2):
        store.undo("a.png")
    assert store.annotations("a.png") == [first, second]
    for _ in range(2):
        store.redo("a.png")
    assert store.annotations("a.png") == [second]


def test_steps_from_before_there_were_crowds_can_be_undone(workspace: Workspace, project: Project) -> None:
    store = workspace.store
    take(workspace, project, document(square(1)))
    with store._engine.begin() as connection:
        connection.exec_driver_sql("""UPDATE events SET changes = replace(changes, ', "crowd": false', '')""")
        assert "crowd" not in connection.exec_driver_sql("SELECT changes FROM events").scalar_one()
    (before,) = store.annotations("a.png")
    store.undo("a.png")
    assert store.annotations("a.png") == []
    store.redo("a.png")
    assert store.annotations("a.png") == [before]


def test_a_label_takes_the_number_of_the_file_if_it_has_none(workspace: Workspace, project: Project) -> None:
    store = workspace.store
    store.add_label(project.id, "toothbrush")
    store.ensure_label(project.id, "dog", category_id=1)
    store.ensure_label(project.id, "cow", category_id=7)
    file = document(square(1), square(2, category_id=90), square(3, category_id=8))
    file["categories"].append({"id": 8, "name": "cow"})
    added, _, problems = take(workspace, project, file)
    assert added == 3
    assert {label.name: label.category_id for label in store.labels(project.id)} == {
        "toothbrush": 90, "dog": 1, "cow": 7, "cat": None,
    }  # fmt: skip
    assert problems == [
        "The numbers of 2 categories were not taken from the file: cat, cow. "
        "The first: It has none here and 1 in the file."
    ]
    assert {each["name"]: each["id"] for each in exported(workspace, project)["categories"]}["cat"] == 91


@pytest.mark.parametrize("odd", [-1, 2**53, 10**30, "animal", 1.5])
def test_numbers_that_no_category_can_have_are_not_kept(workspace: Workspace, project: Project, odd: object) -> None:
    file = document(square(1, category_id=odd))
    file["categories"] = [{"id": odd, "name": "cat"}]
    added, _, _ = take(workspace, project, file)
    assert (added, [label.category_id for label in workspace.store.labels(project.id)]) in ((1, [None]), (0, []))


# --- names of categories ---


def test_names_in_any_script_are_kept_and_odd_spaces_become_spaces(workspace: Workspace, project: Project) -> None:
    given = {
        "traffic\u00a0light": "traffic light",
        "two\nlines ": "two lines",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u05d0\u05d1\u200f": "\u05d0\u05d1\u200f",
        "x" * MAX_NAME: "x" * MAX_NAME,
    }
    file = document(*(square(n, category_id=n) for n in range(len(given))))
    file["categories"] = [{"id": n, "name": name} for n, name in enumerate(given)]
    assert take(workspace, project, file) == (len(given), 0, [])
    assert names(workspace, project) == list(given.values())


@pytest.mark.parametrize("odd", ["x" * (MAX_NAME + 1), "a\x00b", "a\ud83d", "\u200b", "\x1b[31mred"])
def test_a_name_that_cannot_be_a_label_costs_only_its_own_objects(
    workspace: Workspace, project: Project, odd: str
) -> None:
    file = document(square(1), square(2, category_id=5), square(3, category_id=5), square(4))
    file["categories"].append({"id": 5, "name": odd, "supercategory": "s"})
    added, _, problems = take(workspace, project, file)
    assert added == 2 and names(workspace, project) == ["cat", "toothbrush"]
    assert problems[0].startswith("The category ") and "The name of a label" in problems[0]
    assert problems[1] == "2 annotations were left out with their categories."
    json.dumps(problems, ensure_ascii=False).encode()


def test_categories_that_are_spelt_alike_are_one_label(workspace: Workspace, project: Project) -> None:
    file = document(square(1), square(2, category_id=5))
    file["categories"].append({"id": 5, "name": "cat\u00a0"})
    added, _, problems = take(workspace, project, file)
    assert added == 2 and names(workspace, project) == ["cat", "toothbrush"]
    assert problems == ["The number of the category cat was not taken from the file. It is 1 here and 5 in the file."]


def test_an_odd_supercategory_costs_only_itself(workspace: Workspace, project: Project) -> None:
    file = document(square(1))
    file["categories"][0]["supercategory"] = "a\x00b"
    added, _, problems = take(workspace, project, file)
    assert added == 1 and problems[0].startswith("The supercategory of cat was left out.")
    assert workspace.store.labels(project.id)[0].supercategory == ""


# --- once, wholly, or not at all ---


def test_a_file_that_is_imported_twice_adds_its_objects_once(workspace: Workspace, project: Project) -> None:
    file = document(*(square(n) for n in range(200)), square(200, image_id=2))
    assert take(workspace, project, file) == (201, 0, [])
    before = workspace.store.history("a.png")
    assert take(workspace, project, file) == (0, 201, [])
    assert workspace.store.history("a.png") == before
    file["annotations"] += [square(300), square(300), square(1, category_id=90)]
    assert take(workspace, project, file) == (2, 202, [])
    workspace.store.undo("a.png")
    assert len(workspace.store.annotations("a.png")) == 200, "one step an image"


def test_what_was_undone_can_be_imported_again(workspace: Workspace, project: Project) -> None:
    take(workspace, project, document(square(1)))
    workspace.store.undo("a.png")
    assert take(workspace, project, document(square(1))) == (1, 0, [])


@pytest.mark.parametrize("failure", [DatabaseUnavailable("It is gone."), StorageFull("The disk is full.")])
def test_an_import_that_fails_half_way_says_what_was_added_and_can_be_repeated(
    workspace: Workspace, project: Project, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = document(square(1), square(2), square(3, image_id=2))
    add_missing = Store.add_missing

    def fail_on_b(store: Store, image_id: str, *rest: Any, **options: Any) -> int:
        if image_id == "b.png":
            raise failure
        return add_missing(store, image_id, *rest, **options)

    with monkeypatch.context() as broken:
        broken.setattr(Store, "add_missing", fail_on_b)
        with pytest.raises(type(failure), match=r"Only 2 objects were imported, .* import the file again"):
            take(workspace, project, file)
        with pytest.raises(type(failure), match=str(failure)):
            take(workspace, project, file)
    assert take(workspace, project, file) == (1, 2, [])


def test_objects_of_an_image_that_is_removed_meanwhile_are_left_out(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = list(workspace.store.iter_images(project.id))
    workspace.store.delete_image("a.png")
    monkeypatch.setattr(Store, "iter_images", lambda *_: every)
    added, _, problems = take(workspace, project, document(square(1), square(2, image_id=2)))
    assert added == 1
    assert problems == ["a.png or one of its labels was removed meanwhile; its objects were left out."]


def test_the_number_of_statements_does_not_grow_with_the_objects(workspace: Workspace, project: Project) -> None:
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    def needed(first: int, many: int) -> int:
        statements.clear()
        assert take(workspace, project, document(*(square(n) for n in range(first, first + many)))) == (many, 0, [])
        return len(statements)

    needed(0, 1)  # adds the labels
    event.listen(Engine, "before_cursor_execute", count)
    try:
        few, many = needed(1, 2), needed(3, 200)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert few == many <= 30


def test_a_mask_that_no_browser_could_show_is_left_out_and_the_image_opens(
    workspace: Workspace, project: Project
) -> None:
    side = 2100
    workspace.store.add_image(ImageRecord("large", project.id, "large.png", "sha", "pixels", side, side))
    file = document(square(1), square(2, segmentation={"size": [side, side], "counts": [side] * side}))
    file["images"][0] = {"id": 1, "file_name": "large.png", "width": side, "height": side}
    added, _, problems = take(workspace, project, file)
    assert added == 1 and "annotation 2" in problems[0] and "intricate" in problems[0]
    assert len(workspace.store.document("large").annotations) == 1


def test_large_files_are_read_one_after_the_other(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MemoryBudget(1 << 20, wait_s=0.01)
    monkeypatch.setattr(workspace.exchange, "_budget", budget)
    large = document(square(1), padding=" " * (1 << 17))
    with budget.hold(1 << 19):
        with pytest.raises(Busy, match="reading other large files"):
            take(workspace, project, large)
        assert names(workspace, project) == []
        assert take(workspace, project, document(square(2))) == (1, 0, [])
    assert take(workspace, project, large) == (1, 0, []) and budget.used == 0


def test_a_zip_counts_as_large_as_it_is_unpacked(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MemoryBudget(1 << 20, wait_s=0.01)
    monkeypatch.setattr(workspace.exchange, "_budget", budget)
    monkeypatch.setattr(workspace.boxes, "_budget", budget)
    data = zipped({"a.json": json.dumps(document(square(1), padding=" " * (1 << 17))).encode()})
    with budget.hold(1 << 19):
        for reads in (
            lambda: workspace.exchange.import_file(project, None, io.BytesIO(data)),
            lambda: workspace.boxes.read(project, io.BytesIO(data)),
        ):
            with pytest.raises(Busy, match="reading other large files"):
                reads()
    assert workspace.exchange.import_file(project, None, io.BytesIO(data)).kept == 1 and budget.used == 0


def test_pixels_of_pictures_in_a_zip_count(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryBudget(10 * 8 * 8, wait_s=0.01)
    monkeypatch.setattr(png_file, "_BUDGET", budget)
    opaque = png_file.to_png(np.full((8, 8, 4), 255, np.uint8))
    with png_file.alpha_of(opaque, 8, 8) as alpha:
        assert alpha.all() and budget.used == budget.limit
        with pytest.raises(Busy), png_file.from_png(png_file.to_png(np.ones((8, 8), bool)), 8, 8):
            pass
    assert budget.used == 0


# --- over HTTP ---


@pytest.fixture
def client(workspace: Workspace, settings: Settings) -> Iterator[TestClient]:
    app = create_app(workspace, settings, page=False)
    with TestClient(app, base_url="http://test", raise_server_exceptions=False) as running:
        yield running


def post(client: TestClient, project: Project, data: bytes) -> Any:
    return client.post(f"/api/v1/projects/{project.id}/import/coco", files={"file": ("x.json", data)})


def test_an_exported_file_can_be_imported_and_bad_entries_are_named(
    client: TestClient, workspace: Workspace, project: Project
) -> None:
    file = document(square(1), square(2, segmentation={"size": [1, 1]}))
    reply = post(client, project, json.dumps(file).encode())
    assert reply.status_code == 200 and reply.json()["kept"] == 1
    assert [problem.partition(" cannot")[0] for problem in reply.json()["problems"]] == ["The mask of annotation 2"]
    back = client.get(f"/api/v1/projects/{project.id}/export/coco").json()
    assert len(back["annotations"]) == 1 and back["categories"][1]["name"] == "toothbrush"


def test_halves_of_surrogate_pairs_anywhere_are_no_failure(
    client: TestClient, workspace: Workspace, project: Project
) -> None:
    half = "x\ud83d"
    file = document(square(1), square(2, id=half, segmentation=[]), square(3, image_id=half), square(4, category_id=5))
    file["images"] += [{"id": half, "file_name": half + ".png", "width": 1, "height": 1}, {"id": 9, "file_name": half}]
    file["categories"] += [{"id": 5, "name": half, "supercategory": half}, {"id": half, "name": "t", half: half}]
    first = post(client, project, json.dumps(file).encode())
    assert first.status_code == 200 and first.json()["kept"] == 1
    assert post(client, project, json.dumps(file).encode()).json()["kept"] == 0


@pytest.mark.parametrize("data", [b"no json", b"[" * 9999, b"[1" + b"0" * 5000 + b"]", b"\xff", b""])
def test_what_is_no_json_is_one_sentence(client: TestClient, project: Project, data: bytes) -> None:
    reply = post(client, project, data)
    assert reply.status_code == 422 and "\n" not in reply.json()["detail"]


def test_a_file_over_the_limit_is_refused_with_the_limit(client: TestClient, project: Project) -> None:
    reply = post(client, project, b"[" + b" " * (1 << 20) + b"]")
    assert (reply.status_code, reply.json()["detail"]) == (
        422, "The file is larger than 1 MiB: split it, or raise max_upload_bytes.",
    )  # fmt: skip


def test_a_file_for_another_project_changes_nothing(workspace: Workspace, project: Project) -> None:
    file = document(square(1))
    file["images"][0]["file_name"] = "elsewhere.png"
    added, _, problems = take(workspace, project, file)
    assert added == 0 and names(workspace, project) == []
    assert problems == ["elsewhere.png is not an image of this project.", "One annotation was left out with its image."]
    with pytest.raises(NotJson):
        workspace.exchange.import_file(project, "coco", io.BytesIO(b"{"))
