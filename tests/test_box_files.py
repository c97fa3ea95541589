"""Boxes of other tools: read from COCO, CSV and YOLO, turned into masks on the command line, offered over REST."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pycocotools.coco import COCO

from annotator.cli import prompted
from annotator.cli.main import main
from annotator.errors import InvalidRequest
from annotator.formats.box_files import read
from annotator.formats.dataset import FileCategory
from annotator.formats.file_boxes import FileBox
from annotator.formats.problems import Problems
from annotator.formats.yolo_boxes import read_yolo
from annotator.sam.predictor import Predictor
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import ImageRecord
from annotator.web.auth import LOCAL_USER
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.conftest import SAMPLES
from tests.fake_segmenter import FakeSegmenter

IMAGES = [
    ImageRecord("a", 1, "train/a.jpg", "", "", width=100, height=50),
    ImageRecord("turned", 1, "turned.jpg", "", "", width=40, height=80, orientation=6),
]
CUP = FileCategory("cup", "kitchen", 7)


def coco(*annotations: dict[str, Any]) -> bytes:
    images = [
        {"id": 1, "file_name": "a.jpg", "width": 100, "height": 50},
        {"id": 2, "file_name": "turned.jpg", "width": 80, "height": 40},
        {"id": 3, "file_name": "elsewhere.jpg"},
    ]
    categories = [{"id": 7, "name": "cup", "supercategory": "kitchen"}]
    return json.dumps({"images": images, "categories": categories, "annotations": annotations}).encode()


def box(number: int, bbox: object, **fields: object) -> dict[str, Any]:
    return {"id": number, "image_id": 1, "category_id": 7, "bbox": bbox, **fields}


def read_all(data: bytes) -> tuple[list[FileBox], list[str]]:
    problems = Problems()
    return read(data, IMAGES, problems), problems.sentences()


def test_coco_boxes_keep_their_categories_and_are_clipped_to_their_image() -> None:
    found, problems = read_all(coco(box(1, [10, 20, 30, 20]), box(2, [-5, 40, 200, 20])))
    assert found == [
        FileBox("a", "annotation 1", (10, 20, 40, 40), CUP),
        FileBox("a", "annotation 2", (0, 40, 100, 50), CUP),
    ]
    assert problems == [
        "elsewhere.jpg is not an image of this project.",
        "The box of annotation 2 reaches outside its image and was cut off at the border.",
    ]


def test_a_box_of_the_stored_pixels_of_a_turned_photo_is_turned_with_it() -> None:
    (found,), _ = read_all(coco(box(1, [0, 30, 20, 10], image_id=2)))
    assert found.box == (0, 0, 10, 20), "the lower left corner of the file is the upper left one of the photo"


def test_bad_entries_of_coco_are_reported_each_and_the_rest_is_kept() -> None:
    bad = [
        box(2, [1, 2, 3]),
        box(3, [1, 2, 0, 5]),
        box(4, [200, 2, 5, 5]),
        box(5, [1, 2, 3, 4], segmentation=[[1, 1, 9, 1, 9, 9]]),
        box(6, [1, 2, 3, 4], category_id=8),
        box(7, [1, 2, 3, 4], image_id=9),
        box(8, [1, 2, float("nan"), 4]),
        box(9, [1, 2, 10**400, 4]),
    ]
    found, problems = read_all(coco(box(1, [1, 1, 5, 5]), *bad))
    assert [each.where for each in found] == ["annotation 1"]
    said = "\n".join(problems)
    assert "elsewhere.jpg is not an image of this project." in said
    assert "annotation 2, annotation 3, annotation 8, annotation 9" in said
    assert "The box of annotation 4 lies outside its image." in said
    assert "A mask is there already, so the box was left out: annotation 5." in said
    assert "Annotation 6 belongs to no category" in said
    assert "Annotation 7 belongs to no image" in said


@pytest.mark.parametrize(
    "text",
    [
        "image,x0,y0,x1,y1,class\na.jpg,10,20,40,40,cup\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,100,50,cup,10,20,40,40\n",
        "\ufeffimage_path,label,x,y,width,height\r\nC:\\photos\\train\\a.jpg, cup, 10, 20, 30, 20\r\n",
    ],
)
def test_csv_is_read_with_the_usual_names_of_columns(text: str) -> None:
    found, problems = read_all(text.encode())
    assert found == [FileBox("a", "line 2", (10, 20, 40, 40), FileCategory("cup"))]
    assert [each for each in problems if "another folder" not in each] == []


def test_bad_lines_of_csv_are_named_and_the_rest_is_kept() -> None:
    found, problems = read_all(b"image,x0,y0,x1,y1\na.jpg,1,1,x,9\na.jpg,1,1\na.jpg,1,1,9,9\n\nb.jpg,1,1,9,9\n")
    assert [(each.where, each.category.name) for each in found] == [("line 4", "object")]
    assert any("box of line 2" in each for each in problems)
    assert any("Line 3 does not have as many values" in each for each in problems)
    assert any("b.jpg is not an image" in each for each in problems)


LABELS = {
    "data.yaml": b"names:\n  0: cup\n  3: spoon\n",
    "labels/train/a.txt": b"3 0.5 0.5 0.2 0.4\n\n0 0.1 0.2 0.2 0.4 0.97\n5 2 2 0.1 0.1\nx 1 1 1 1\n"
    b"0 .1 .1 .2 .1 .2 .2\n",
    "notes.txt": b"not a label",
}


def test_yolo_labels_get_their_names_and_numbers_from_the_list_of_classes() -> None:
    problems = Problems()
    found = read_yolo(LABELS, IMAGES, problems)
    assert [each.where for each in found] == ["line 1 of labels/train/a.txt", "line 3 of labels/train/a.txt"]
    assert [each.category for each in found] == [FileCategory("spoon", id=3), FileCategory("cup", id=0)]
    assert found[0].box == pytest.approx((40, 15, 60, 35))
    said = "\n".join(problems.sentences())
    assert "line 4 of labels/train/a.txt lies outside" in said
    assert "The box of line 5" in said
    assert "masks are there already" not in said and "left out: line 6" in said


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_of_yolo_labels_is_recognised() -> None:
    found, _ = read_all(zipped({"classes.txt": b"cup\nspoon\n", "a.txt": b"1 0.5 0.5 1 1\n"}))
    assert found == [FileBox("a", "line 1 of a.txt", (0, 0, 100, 50), FileCategory("spoon", id=1))]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xd8\xff", "neither COCO, CSV nor a zip"),
        (b"a photo,1,2,3,4\n", "names of its columns"),
        (b"PK\x03\x04 cut", "not a zip"),
        (zipped({"readme.md": b""}), "no YOLO labels"),
        (zipped({"data.yaml": b"{", "a.txt": b""}), "data.yaml is not a YAML file"),
        (zipped({"data.yaml": b"a: &a [x]\nnames: [*a, *a]", "a.txt": b""}), "data.yaml is not a YAML file"),
    ],
)
def test_files_of_another_kind_are_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_all(data)


def test_more_boxes_than_a_page_can_show_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.formats.yolo_boxes._MAX_BOXES", 2)
    with pytest.raises(InvalidRequest, match="more than 2 boxes"):
        read_all(zipped({"a.txt": b"0 .5 .5 .1 .1\n" * 3}))


# --- the command line ---


@pytest.fixture
def photos(tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos; the command takes the bundled model that is loaded already."""
    monkeypatch.setattr(prompted, "load_predictor", lambda settings: predictor)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("chelsea", "coffee"):
        Image.open(SAMPLES / f"skimage_{name}.jpg").save(folder / f"{name}.jpg")
    return folder


def test_boxes_become_masks_with_their_categories_and_each_box_without_one_is_a_line(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    categories = [{"id": 17, "name": "cat", "supercategory": "animal"}, {"id": 47, "name": "cup"}]
    images = [{"id": 1, "file_name": "chelsea.jpg"}, {"id": 2, "file_name": "coffee.jpg"}]
    entries = [
        {"id": 1, "image_id": 1, "category_id": 17, "bbox": [110, 20, 330, 270]},
        {"id": 2, "image_id": 2, "category_id": 47, "bbox": [120, 80, 360, 250]},
        {"id": 3, "image_id": 2, "category_id": 47, "bbox": [9000, 0, 5, 5]},
        {"id": 4, "image_id": 2, "category_id": 47, "bbox": "no"},
    ]
    file, out = photos.parent / "boxes.json", photos.parent / "masks.json"
    file.write_text(json.dumps({"images": images, "categories": categories, "annotations": entries}))
    assert main(["boxes", str(file), str(photos), "-o", str(out)]) == 0
    masks = COCO(str(out))
    assert [each["category_id"] for each in masks.dataset["annotations"]] == [17, 47]
    assert {each["id"]: each["name"] for each in masks.dataset["categories"]} == {17: "cat", 47: "cup"}
    assert all(each["area"] > 1000 and each["source"] == "box" for each in masks.dataset["annotations"])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("no mask: ")]
    assert sorted(line.split("annotation ")[1][0] for line in lines) == ["3", "4"]


def test_an_interrupted_run_goes_on_with_the_next_image(
    photos: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = photos.parent / "set" / "labels"
    labels.mkdir(parents=True)
    for name in ("chelsea", "coffee"):
        (labels / f"{name}.txt").write_text("0 0.5 0.5 0.6 0.6\n")
    out = photos.parent / "masks.json"
    command = ["boxes", str(labels.parent), str(photos), "-o", str(out)]
    encoded: list[int] = []
    encode = Predictor.encode

    def encode_or_stop(self: Predictor, images: Any) -> Any:
        encoded.append(images[0].shape[1])
        if len(encoded) == 2:
            raise KeyboardInterrupt
        return encode(self, images)

    monkeypatch.setattr(Predictor, "encode", encode_or_stop)
    assert main(command) == 130
    assert main(command) == 0
    assert encoded == [451, 600, 600], "the first image is not segmented again"
    assert len(COCO(str(out)).dataset["annotations"]) == 2
    assert "Going on with" in capsys.readouterr().err


def test_a_file_without_a_box_for_these_images_is_one_line(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = photos.parent / "boxes.csv"
    file.write_text("image,x0,y0,x1,y1\ndog.jpg,1,1,9,9\n")
    assert main(["boxes", str(file), str(photos), "-o", str(photos.parent / "out.json")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("holds no box that can be used for these images.")


# --- REST ---


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
    workspace = Workspace(settings, Store(settings.store_url), FakeSegmenter())
    project = workspace.store.create_project("cups", LOCAL_USER)
    workspace.store.add_image(ImageRecord("a", project.id, "a.jpg", "sha", "pixels", width=100, height=50))
    with TestClient(create_app(workspace, settings, page=False)) as client:
        client.base_url = client.base_url.join(f"/api/v1/projects/{project.id}/")
        yield client
    workspace.store.close()


def test_a_file_of_boxes_is_answered_with_the_boxes_of_each_image(client: TestClient) -> None:
    reply = client.post("boxes", files={"file": coco(box(1, [10, 20, 30, 20]), box(2, [0, 0, 0, 0]))})
    assert reply.status_code == 200
    body = reply.json()
    assert body["images"] == [{"image_id": "a", "boxes": [{"box": [10, 20, 40, 40], "category": "cup"}]}]
    assert any("annotation 2" in each for each in body["problems"])


def test_a_file_that_holds_no_boxes_is_refused_in_one_sentence(client: TestClient) -> None:
    reply = client.post("boxes", files={"file": b"\xff\xd8"})
    assert reply.status_code == 422
    assert "neither COCO" in reply.json()["detail"]
