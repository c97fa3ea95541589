"""The REST routes over the real model and a real database: the main job, and every bad input's clear answer."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.serving.engine import Priority
from annotator.serving.local import LocalSegmenter
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import CroppedRuns
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from benchmarks.fine_detail import band, iou
from tests.conftest import all_done

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        models_dir=tmp_path_factory.mktemp("models"),
        model="nano",
        compile=False,
        allowed_hosts=("test",),
        image_folders=(SAMPLES,),
        max_upload_bytes=20 << 20,
    )


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    workspace = Workspace(settings, Store(settings.store_url), LocalSegmenter(settings))
    app = create_app(workspace, settings, page=False)
    with TestClient(app, base_url="http://test", raise_server_exceptions=False) as running:
        yield running


@pytest.fixture(scope="module")
def project(client: TestClient) -> int:
    return int(client.get("/api/v1/status").json()["project_id"])


@pytest.fixture(scope="module")
def label(client: TestClient, project: int) -> int:
    return int(client.get(f"/api/v1/projects/{project}/labels").json()[0]["id"])


@pytest.fixture
def image(client: TestClient, project: int) -> dict[str, Any]:
    """The cat, as an image of its own."""
    data = (SAMPLES / "skimage_chelsea.jpg").read_bytes()
    return upload(client, project, (f"cat {uuid.uuid4().hex}.jpg", data)).json()["images"][0]


def upload(client: TestClient, project: int, *files: tuple[str, bytes]) -> Any:
    return client.post(f"/api/v1/projects/{project}/images", files=[("files", each) for each in files])


def click(client: TestClient, image: dict[str, Any], *points: tuple[float, float, int], **more: Any) -> dict[str, Any]:
    reply = client.post(f"/api/v1/images/{image['id']}/prompt", json={"points": points, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()


def keep(client: TestClient, image: dict[str, Any], label: int, mask: dict[str, Any], **more: Any) -> Any:
    body = {"label_id": label, "mask": mask, **more}
    return client.post(f"/api/v1/images/{image['id']}/annotations", json=body)


def as_object(proposal: dict[str, Any], label: int) -> dict[str, Any]:
    """An automatic mask as the page keeps it."""
    prompts = {"points": [[*proposal["point"], 1]]}
    return {
        "label_id": label,
        "mask": proposal["mask"],
        "score": proposal["score"],
        "source": "auto",
        "prompts": prompts,
    }


def pixels(mask: dict[str, Any], height: int, width: int) -> np.ndarray:
    full = np.zeros((height, width), bool)
    values = np.repeat(np.arange(len(mask["runs"])) % 2 == 1, mask["runs"]).reshape(mask["h"], mask["w"])
    full[mask["y"] : mask["y"] + mask["h"], mask["x"] : mask["x"] + mask["w"]] = values
    return full


def test_from_upload_to_a_coco_file_pycocotools_reads(
    client: TestClient, project: int, label: int, tmp_path: Path
) -> None:
    stored = Image.open(SAMPLES / "skimage_chelsea.jpg").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: upright again
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", exif=exif, quality=95)
    image = upload(client, project, ("turned.jpg", buffer.getvalue())).json()["images"][0]
    assert (image["width"], image["height"], image["orientation"]) == (451, 300, 6)
    answer = click(client, image, (200, 150, 1))
    assert len(answer["candidates"]) == 3
    mask = answer["candidates"][0]["mask"]
    kept = keep(client, image, label, mask, score=0.9).json()["annotation"]
    reply = client.get(f"/api/v1/projects/{project}/export/coco", params={"image_id": image["id"]})
    path = tmp_path / "annotations.json"
    path.write_bytes(reply.content)
    loaded = COCO(str(path))
    (entry,) = loaded.dataset["annotations"]
    assert loaded.dataset["images"][0]["width"] == 451
    assert (entry["id"], entry["iscrowd"], entry["category_id"]) == (1, 0, 1)
    truth = pixels(mask, 300, 451)
    assert np.array_equal(coco_mask.decode(entry["segmentation"]).astype(bool), truth)
    assert entry["area"] == truth.sum() == kept["area"]


def test_a_second_prompt_on_an_image_does_not_encode_again(client: TestClient, image: dict[str, Any]) -> None:
    click(client, image, (100, 100, 1))
    reply = client.post(f"/api/v1/images/{image['id']}/prompt", json={"points": [[120, 100, 1]]})
    assert reply.json()["timing"]["encode"] is None
    assert "decode;dur=" in reply.headers["Server-Timing"]
    assert "encode" not in reply.headers["Server-Timing"].split("decode")[0]


def test_the_answer_under_the_pointer_is_the_answer_to_the_click(client: TestClient, image: dict[str, Any]) -> None:
    hovered = click(client, image, (200, 150, 1), kind="hover")
    clicked = click(client, image, (200, 150, 1))
    assert hovered["candidates"] == clicked["candidates"]
    points = [(200, 150, 1), (30, 30, 0)]
    refined = [click(client, image, *points, refine={"token": t["token"], "index": 0}) for t in (hovered, clicked)]
    assert refined[0]["candidates"] == refined[1]["candidates"]
    click(client, image, (100, 100, 1), kind="hover")
    forgotten = click(client, image, *points, refine={"token": hovered["token"], "index": 0})
    assert forgotten["candidates"] == click(client, image, *points)["candidates"], "a pointer has one answer, its last"


def test_a_prompt_starts_from_the_mask_it_comes_with(client: TestClient, image: dict[str, Any]) -> None:
    points = [(200, 150, 1), (30, 30, 0)]
    plain = click(client, image, *points)
    mask = {"x": 150, "y": 100, "w": 90, "h": 100, "runs": [0, 9000]}
    started = click(client, image, *points, mask=mask)
    assert started["candidates"][0]["mask"] != plain["candidates"][0]["mask"]
    known = {"token": plain["token"], "index": 0}
    both = click(client, image, *points, mask=mask, refine=known)
    assert both["candidates"] == click(client, image, *points, refine=known)["candidates"]
    forgotten = click(client, image, *points, mask=mask, refine={"token": "gone", "index": 0})
    assert forgotten["candidates"] == started["candidates"]
    alone = click(client, image, *points, refine={"token": "gone", "index": 0})
    assert [each["refined"] for each in (plain, started, both, forgotten, alone)] == [False, True, True, True, False]
    wrong = {"points": points, "mask": {**mask, "x": 100_000}}
    assert client.post(f"/api/v1/images/{image['id']}/prompt", json=wrong).status_code == 422


def test_a_correcting_click_refines_the_chosen_candidate(client: TestClient, image: dict[str, Any]) -> None:
    first = click(client, image, (200, 150, 1))
    plain = click(client, image, (200, 150, 1), (30, 30, 0))
    refined = click(client, image, (200, 150, 1), (30, 30, 0), refine={"token": first["token"], "index": 1})
    assert plain["candidates"][0]["mask"] != refined["candidates"][0]["mask"]
    forgotten = click(client, image, (200, 150, 1), (30, 30, 0), refine={"token": "gone", "index": 0})
    assert forgotten["candidates"][0]["mask"] == plain["candidates"][0]["mask"]


def test_undo_and_redo_walk_through_everything(client: TestClient, image: dict[str, Any], label: int) -> None:
    url = f"/api/v1/images/{image['id']}"
    first, second = ({"x": x, "y": 5, "w": 3, "h": 4, "runs": [0, 12]} for x in (7, 70))
    ids = [keep(client, image, label, mask).json()["annotation"]["id"] for mask in (first, second)]
    client.post(f"{url}/annotations/delete", json={"ids": ids[:1]})
    assert [a["id"] for a in client.get(f"{url}/document").json()["annotations"]] == ids[1:]
    after = client.post(f"{url}/undo").json()
    assert [a["id"] for a in after["annotations"]] == ids
    assert after["annotations"][0]["mask"] == first
    assert after["history"]["redo"] == "delete object"
    stale = client.post(f"{url}/undo", json={"revision": after["history"]["revision"] - 1})
    assert (stale.status_code, "changed meanwhile" in stale.json()["detail"]) == (409, True)
    assert len(client.post(f"{url}/redo").json()["annotations"]) == 1
    for _ in range(3):
        assert client.post(f"{url}/undo").status_code == 200
    empty = client.post(f"{url}/undo")
    assert empty.status_code == 409
    assert empty.json()["detail"]


def test_a_repeated_request_adds_nothing_twice(client: TestClient, image: dict[str, Any], label: int) -> None:
    mask = {"x": 7, "y": 5, "w": 3, "h": 4, "runs": [0, 12]}
    replies = [keep(client, image, label, mask, request_id="0123456789").json() for _ in range(2)]
    assert replies[0] == replies[1]
    assert len(client.get(f"/api/v1/images/{image['id']}/document").json()["annotations"]) == 1


def test_a_repeated_keep_answers_with_what_is_stored(client: TestClient, image: dict[str, Any], label: int) -> None:
    mask = {"x": 7, "y": 5, "w": 3, "h": 4, "runs": [0, 12]}
    other = {**mask, "w": 4, "runs": [0, 16]}
    url = f"/api/v1/images/{image['id']}/annotations"
    first = keep(client, image, label, mask, request_id="keep-it-once").json()["annotation"]
    assert keep(client, image, label, other, request_id="keep-it-once").json()["annotation"] == first
    corrected = client.patch(f"{url}/{first['id']}", json={"mask": other}).json()["annotation"]
    assert keep(client, image, label, mask, request_id="keep-it-once").json()["annotation"] == corrected
    assert client.post(f"{url}/delete", json={"ids": [first["id"]], "request_id": "delete-it"}).status_code == 200
    assert keep(client, image, label, other, request_id="keep-it-once").json()["annotation"] == first
    refused = keep(client, image, label, mask, request_id="delete-it")
    assert (refused.status_code, refused.json()["detail"]) == (409, "This request id was used for another change.")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("prompt", {"points": [[False, 10, 1]]}, "points.0.0"),
        ("prompt", {"points": [["10", 10, 1]]}, "points.0.0"),
        ("prompt", {"points": [[10, 10, True]]}, "points.0.2"),
        ("prompt", {"box": [0, 0, True, 9]}, "box.2"),
        ("prompts", {"objects": [{"box": [0, 0, "9", 9]}]}, "objects.0.box.2"),
        ("annotations", {"label_id": True, "mask": {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]}}, "label_id"),
        ("annotations/many", {"objects": [{"label_id": 1, "score": False}]}, "objects.0.mask"),
        ("annotations/clean", {"ids": ["a"], "fill_holes": True}, "fill_holes"),
        ("automask", {"points_per_side": True}, "points_per_side"),
        ("undo", {"revision": False}, "revision"),
    ],
)
def test_only_numbers_are_numbers(
    client: TestClient, image: dict[str, Any], path: str, body: dict[str, Any], field: str
) -> None:
    reply = client.post(f"/api/v1/images/{image['id']}/{path}", json=body)
    assert (reply.status_code, reply.json()["field"]) == (422, field)


def test_corners_in_the_wrong_order_are_said(client: TestClient, image: dict[str, Any]) -> None:
    reply = client.post(f"/api/v1/images/{image['id']}/prompt", json={"box": [90, 10, 20, 60]})
    assert reply.status_code == 422
    assert reply.json()["detail"] == (
        "The box should be x0, y0, x1, y1: its upper left corner first, then its lower right one."
    )


def test_merge_split_and_clean_are_lossless_steps(client: TestClient, image: dict[str, Any], label: int) -> None:
    url = f"/api/v1/images/{image['id']}"
    squares = [{"x": x, "y": 10, "w": 20, "h": 20, "runs": [0, 400]} for x in (10, 100)]
    ids = [keep(client, image, label, mask, source="edit").json()["annotation"]["id"] for mask in squares]
    (merged,) = client.post(f"{url}/annotations/merge", json={"ids": ids}).json()["annotations"]
    assert merged["area"] == 800
    parts = client.post(f"{url}/annotations/split", json={"ids": [merged["id"]]}).json()["annotations"]
    assert sorted(part["mask"]["x"] for part in parts) == [10, 100]
    holed = {"x": 0, "y": 0, "w": 5, "h": 5, "runs": [0, 12, 1, 12]}
    made = keep(client, image, label, holed).json()["annotation"]["id"]
    cleaned = client.post(f"{url}/annotations/clean", json={"ids": [made], "fill_holes": 1}).json()
    assert next(a["area"] for a in cleaned["annotations"] if a["id"] == made) == 25
    again = client.post(f"{url}/annotations/clean", json={"ids": [made], "fill_holes": 1}).json()
    assert again["history"] == cleaned["history"]


def test_what_is_done_to_a_selection_is_one_step(client: TestClient, image: dict[str, Any], project: int) -> None:
    url = f"/api/v1/images/{image['id']}"
    labels = [
        client.post(f"/api/v1/projects/{project}/labels", json={"name": name}).json()["id"]
        for name in ("left", "right")
    ]
    two_parts = {"x": 10, "y": 10, "w": 9, "h": 20, "runs": [0] + [4, 1, 4, 0] * 19 + [4, 1, 4]}
    ids = [keep(client, image, labels[0], two_parts).json()["annotation"]["id"] for _ in range(3)]

    def labels_now() -> list[int]:
        return [a["label_id"] for a in client.get(f"{url}/document").json()["annotations"]]

    relabelled = client.post(f"{url}/annotations/relabel", json={"ids": ids, "label_id": labels[1]})
    assert relabelled.json()["history"]["undo"] == "relabel 3 objects"
    assert labels_now() == [labels[1]] * 3
    client.post(f"{url}/undo")
    assert labels_now() == [labels[0]] * 3
    for verb, count in [("split", 6), ("delete", 0)]:
        assert client.post(f"{url}/annotations/{verb}", json={"ids": ids}).status_code == 200
        assert len(labels_now()) == count
        client.post(f"{url}/undo")
        assert len(labels_now()) == 3
    unknown = client.post(f"{url}/annotations/delete", json={"ids": [*ids, "nope"]})
    assert (unknown.status_code, len(labels_now())) == (404, 3)


def test_relabelling_and_correcting_an_object(client: TestClient, project: int, image: dict[str, Any]) -> None:
    first, second = (
        client.post(f"/api/v1/projects/{project}/labels", json={"name": name}).json()["id"] for name in ("a", "b")
    )
    square = {"x": 1, "y": 2, "w": 3, "h": 4, "runs": [0, 12]}
    made = keep(client, image, first, square).json()["annotation"]
    url = f"/api/v1/images/{image['id']}/annotations/{made['id']}"
    assert client.patch(url, json={"label_id": second}).json()["annotation"]["label_id"] == second
    wider = {**square, "w": 4, "runs": [0, 16]}
    corrected = client.patch(url, json={"mask": wider, "request_id": "corrected-once"}).json()
    assert corrected["annotation"]["area"] == 16 and corrected["replaced"] == square
    assert client.patch(url, json={"mask": wider, "request_id": "corrected-once"}).json()["replaced"] is None
    assert client.delete(f"/api/v1/labels/{second}").status_code == 409
    assert client.delete(f"/api/v1/labels/{first}").status_code == 204
    assert client.post(f"/api/v1/projects/{project}/labels", json={"name": "b"}).status_code == 409


def wait_for(client: TestClient, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = client.get(f"/api/v1/jobs/{job_id}").json()
        if job["state"] != "running":
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def test_images_of_an_allowed_folder_are_added_once(client: TestClient, project: int) -> None:
    assert client.get("/api/v1/status").json()["image_folders"] == [str(SAMPLES)]
    listed = client.get("/api/v1/folders", params={"path": str(SAMPLES)}).json()["images"]
    assert len(listed) == 4
    url = f"/api/v1/projects/{project}/folder-images"
    added = client.post(url, json={"path": listed[0]}).json()
    assert added["name"] == Path(listed[0]).name
    assert client.post(url, json={"path": listed[0]}).json() == added
    outside = client.post(url, json={"path": str(SAMPLES.parent / "nano.yaml")})
    assert (outside.status_code, "not allowed" in outside.json()["detail"]) == (404, True)
    assert client.get("/api/v1/folders", params={"path": "/etc"}).status_code == 404


@pytest.fixture
def easygoing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds that let plenty of automatic masks pass, however strict those of the bundled model are."""
    spec = replace(zoo.MODELS["nano"], automask_iou=0.1, automask_stability=0.2)
    monkeypatch.setitem(zoo.MODELS, "nano", spec)


@pytest.mark.usefixtures("easygoing")
def test_automatic_masks_are_proposed_then_accepted_in_one_step(
    client: TestClient, image: dict[str, Any], label: int
) -> None:
    url = f"/api/v1/images/{image['id']}"
    started = client.post(f"{url}/automask", json={"points_per_side": 12}).json()
    job = wait_for(client, started["job_id"])
    assert (job["state"], job["done"], job["total"]) == ("done", 144, 144)
    assert job["proposals"], "nothing to accept: the rest of this test would be empty"
    body = {"objects": [as_object(p, label) for p in job["proposals"]], "request_id": uuid.uuid4().hex}
    accepted = client.post(f"{url}/annotations/many", json=body).json()
    assert len(accepted["annotations"]) == len(job["proposals"])
    again = client.post(f"{url}/annotations/many", json=body).json()
    assert len(again["annotations"]) == len(job["proposals"]), "a repeated request adds nothing"
    assert not client.post(f"{url}/undo").json()["annotations"]


def test_automatic_masks_can_be_cancelled_and_go_on(client: TestClient, image: dict[str, Any]) -> None:
    started = client.post(f"/api/v1/images/{image['id']}/automask", json={"points_per_side": 16}).json()
    url = f"/api/v1/jobs/{started['job_id']}"
    assert client.delete(url).status_code == 204
    job = wait_for(client, started["job_id"])
    assert job["state"] == "cancelled"
    assert job["done"] < job["total"]
    assert client.post(f"{url}/resume").json()["state"] == "running"
    job = wait_for(client, started["job_id"])
    assert (job["state"], job["done"]) == ("done", 256)
    assert client.post(f"{url}/resume").json()["state"] == "done", "there is nothing to go on with"


def test_a_run_of_another_model_starts_anew_when_it_goes_on(client: TestClient, image: dict[str, Any]) -> None:
    started = client.post(f"/api/v1/images/{image['id']}/automask", json={"points_per_side": 8}).json()
    wait_for(client, started["job_id"])
    job = client.app.state.workspace.segmenter._jobs.get(started["job_id"])  # type: ignore[attr-defined]
    job._model, job.state = "tiny", "cancelled"
    before = job._run
    client.post(f"/api/v1/jobs/{started['job_id']}/resume")
    assert wait_for(client, started["job_id"])["done"] == 64
    assert job._model == "nano"
    assert job._run is not before


@pytest.mark.usefixtures("easygoing")
def test_automatic_masks_are_merged_into_one_object(client: TestClient, image: dict[str, Any], label: int) -> None:
    url = f"/api/v1/images/{image['id']}"
    started = client.post(f"{url}/automask", json={"points_per_side": 8}).json()
    found = wait_for(client, started["job_id"])["proposals"][:2]
    assert len(found) == 2, "nothing to merge: the rest of this test would be empty"
    body = {"objects": [as_object(p, label) for p in found], "merge": True}
    (merged,) = client.post(f"{url}/annotations/many", json=body).json()["annotations"]
    parts = [rles.from_cropped(CroppedRuns(**p["mask"]), image["height"], image["width"]) for p in found]
    assert rles.from_cropped(CroppedRuns(**merged["mask"]), image["height"], image["width"]) == rles.union(*parts)
    assert merged["score"] is None
    assert len(merged["prompts"]["points"]) == 2


BAD_PROMPTS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"points": []}, "points"),
    "outside": ({"points": [[900, 10, 1]]}, "points[0]"),
    "negative": ({"points": [[10, 10, 1], [-1, 10, 1]]}, "points[1]"),
    "label": ({"points": [[10, 10, 7]]}, "points[0]"),
    "box order": ({"box": [50, 50, 10, 10]}, "box"),
    "box outside": ({"box": [0, 0, 452, 10]}, "box"),
    "too many": ({"points": [[1, 1, 1]] * 63, "box": [0, 0, 9, 9]}, "points"),
    "far too many": ({"points": [[1, 1, 1]] * 500}, "points"),
    "text": ({"points": [["a", 1, 1]]}, "points.0.0"),
}


@pytest.mark.parametrize("kind", BAD_PROMPTS)
def test_a_bad_prompt_names_its_field(client: TestClient, image: dict[str, Any], kind: str) -> None:
    body, field = BAD_PROMPTS[kind]
    reply = client.post(f"/api/v1/images/{image['id']}/prompt", json=body)
    assert reply.status_code == 422
    assert reply.json()["field"] == field
    assert reply.json()["detail"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_coordinates_that_are_not_numbers_are_refused(client: TestClient, image: dict[str, Any], value: str) -> None:
    body = f'{{"points": [[{value}, 1, 1]]}}'
    reply = client.post(
        f"/api/v1/images/{image['id']}/prompt", content=body, headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 422
    assert "number" in reply.json()["detail"] or "JSON" in reply.json()["detail"]


BAD_MASKS = {
    "short": {"x": 0, "y": 0, "w": 5, "h": 5, "runs": [0, 12]},
    "outside": {"x": 450, "y": 0, "w": 5, "h": 5, "runs": [0, 25]},
    "negative": {"x": 0, "y": 0, "w": 5, "h": 5, "runs": [-5, 30]},
    "huge": {"x": 0, "y": 0, "w": 2**40, "h": 2**40, "runs": [0, 2**80]},
    "empty": {"x": 0, "y": 0, "w": 0, "h": 0, "runs": []},
}


@pytest.mark.parametrize("kind", BAD_MASKS)
def test_a_bad_mask_is_refused_and_nothing_is_kept(
    client: TestClient, image: dict[str, Any], label: int, kind: str
) -> None:
    reply = keep(client, image, label, BAD_MASKS[kind])
    assert reply.status_code == 422
    assert reply.json()["detail"]
    assert not client.get(f"/api/v1/images/{image['id']}/document").json()["annotations"]


def test_a_sentence_repeats_no_long_name(client: TestClient, project: int) -> None:
    for method, path in (("PUT", "/api/v1/model"), ("POST", f"/api/v1/projects/{project}/samples")):
        reply = client.request(method, path, json={"name": "x" * 5000})
        assert reply.status_code == 422 and len(reply.text) < 300
    gone = {"path": str(SAMPLES / ("x" * 3000))}
    assert len(client.post(f"/api/v1/projects/{project}/folder-images", json=gone).text) < 300
    assert len(client.get("/api/v1/folders", params=gone).text) < 300


def test_unknown_things_are_404_in_one_sentence(client: TestClient, image: dict[str, Any], label: int) -> None:
    for method, path in [
        ("GET", "/api/v1/images/nope"),
        ("GET", "/api/v1/images/nope/pixels"),
        ("POST", "/api/v1/images/nope/undo"),
        ("GET", "/api/v1/jobs/nope"),
        ("GET", "/api/v1/projects/999/images"),
        ("DELETE", "/api/v1/labels/999"),
        ("GET", "/api/v1/nope"),
    ]:
        reply = client.request(method, path)
        assert reply.status_code == 404, path
        assert reply.json()["detail"], path
    square = {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]}
    assert keep(client, image, 999, square).status_code == 404


def test_good_files_are_taken_beside_bad_ones(client: TestClient, project: int) -> None:
    good = (SAMPLES / "skimage_coffee.jpg").read_bytes()
    reply = upload(client, project, ("good.jpg", good), ("bad.jpg", b"text"), ("empty.png", b"")).json()
    assert [each["name"] for each in reply["images"]] == ["good.jpg"]
    assert [each["name"] for each in reply["errors"]] == ["bad.jpg", "empty.png"]
    only_bad = upload(client, project, ("bad.jpg", b"text"))
    assert only_bad.status_code == 422
    assert "bad.jpg" in only_bad.json()["detail"]


def test_a_path_in_a_file_name_is_only_a_name(client: TestClient, project: int, settings: Settings) -> None:
    data = (SAMPLES / "skimage_coffee.jpg").read_bytes()
    (image,) = upload(client, project, ("../../evil\\..\\x.jpg", data)).json()["images"]
    assert image["name"] == "evil/x.jpg"
    assert not list(settings.data_dir.parent.rglob("x.jpg"))


def test_requests_from_another_sites_page_are_refused(client: TestClient, project: int) -> None:
    reply = client.post(
        f"/api/v1/projects/{project}/labels", json={"name": "x"}, headers={"Origin": "http://evil.test"}
    )
    assert reply.status_code == 403
    same = client.post(f"/api/v1/projects/{project}/labels", json={"name": "ok"}, headers={"Origin": "http://test"})
    assert same.status_code == 201


def test_a_file_that_is_there_already_is_said_and_not_added_again(client: TestClient) -> None:
    project = client.post("/api/v1/projects", json={"name": "doubles"}).json()["id"]
    cat, coffee = ((SAMPLES / f"skimage_{name}.jpg").read_bytes() for name in ("chelsea", "coffee"))
    first = upload(client, project, ("a/x.jpg", cat)).json()
    again = upload(client, project, ("a/x.jpg", cat), ("b/x.jpg", cat), ("a/x.jpg", coffee)).json()
    assert [each["id"] for each in again["known"]] == [first["images"][0]["id"]]
    assert [each["name"] for each in again["images"]] == ["b/x.jpg", "a/x.jpg"], "other names, other contents"
    assert upload(client, project, ("a/x.jpg", cat)).status_code == 200


def test_a_project_is_renamed_removed_and_restored(client: TestClient) -> None:
    project = client.post("/api/v1/projects", json={"name": "a project"}).json()
    url = f"/api/v1/projects/{project['id']}"
    assert client.patch(url, json={"name": "  better  "}).json()["name"] == "better"
    assert client.patch(url, json={"name": ""}).status_code == 422
    client.delete(url)
    assert client.get(f"{url}/labels").status_code == 404
    assert project["id"] not in [each["id"] for each in client.get("/api/v1/projects").json()]
    assert project["id"] in [each["id"] for each in client.get("/api/v1/projects?removed=true").json()]
    assert client.post(f"{url}/restore").json()["name"] == "better"
    assert client.post(f"{url}/restore").status_code == 404
    assert client.get(f"{url}/labels").status_code == 200


def test_an_image_says_that_its_values_were_stretched(client: TestClient, project: int) -> None:
    values = np.linspace(1000, 3000, 48 * 64).astype(np.uint16).reshape(48, 64)
    deep, plain = (cv2.imencode(".png", each)[1].tobytes() for each in (values, (values >> 8).astype(np.uint8)))
    uploaded = upload(client, project, ("deep.png", deep), ("plain.png", plain)).json()["images"]
    assert [each["stretched"] for each in uploaded] == [True, False]
    assert client.get(f"/api/v1/images/{uploaded[0]['id']}").json()["stretched"]


def test_removed_images_lie_in_a_bin_that_can_be_emptied(client: TestClient) -> None:
    project = client.post("/api/v1/projects", json={"name": "bin"}).json()["id"]
    photo = (SAMPLES / "skimage_coffee.jpg").read_bytes()
    ids = [upload(client, project, (name, photo)).json()["images"][0]["id"] for name in ("a.jpg", "b.jpg", "c.jpg")]
    for each in ids[:2]:
        client.delete(f"/api/v1/images/{each}")
    images = f"/api/v1/projects/{project}/images"
    assert [each["id"] for each in client.get(f"{images}?removed=true").json()["images"]] == ids[:2]
    assert client.get(f"/api/v1/images/{ids[0]}/thumbnail").status_code == 200, "they are shown there"
    assert client.get(f"/api/v1/images/{ids[0]}/pixels").status_code == 404
    client.post(f"/api/v1/images/{ids[0]}/restore")
    assert client.delete(f"/api/v1/projects/{project}/bin").json() == {"removed": 1}
    assert client.get(f"{images}?removed=true").json()["total"] == 0
    assert client.get(f"/api/v1/images/{ids[0]}/pixels").status_code == 200, "the file that they share is still there"
    assert client.post(f"/api/v1/images/{ids[1]}/restore").status_code == 404


def test_labels_are_merged_and_split_again(client: TestClient, image: dict[str, Any], project: int) -> None:
    cup, mug = (
        client.post(f"/api/v1/projects/{project}/labels", json={"name": n}).json()["id"] for n in ("cup", "mug")
    )
    kept = keep(client, image, mug, {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]}).json()["annotation"]
    assert [client.get(f"/api/v1/labels/{each}/usage").json()["annotations"] for each in (mug, cup)] == [1, 0]
    assert client.patch(f"/api/v1/labels/{mug}", json={"name": "cup"}).status_code == 409
    assert client.post(f"/api/v1/labels/{mug}/merge", json={"into": cup}).json()["id"] == cup
    document = client.get(f"/api/v1/images/{image['id']}/document").json()
    assert [each["label_id"] for each in document["annotations"]] == [cup]
    assert mug not in [each["id"] for each in client.get(f"/api/v1/projects/{project}/labels").json()]
    assert client.post(f"/api/v1/projects/{project}/labels/{mug}/split").json()["name"] == "mug"
    (back,) = client.get(f"/api/v1/images/{image['id']}/document").json()["annotations"]
    assert (back["id"], back["label_id"]) == (kept["id"], mug)
    assert client.post(f"/api/v1/labels/{mug}/merge", json={"into": mug}).status_code in (409, 422)


def test_a_repeated_keep_of_an_object_that_was_deleted_meanwhile_adds_nothing(
    client: TestClient, image: dict[str, Any], label: int
) -> None:
    body = {"label_id": label, "mask": {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]}, "request_id": uuid.uuid4().hex}
    url = f"/api/v1/images/{image['id']}"
    kept = client.post(f"{url}/annotations", json=body).json()["annotation"]
    client.post(f"{url}/annotations/delete", json={"ids": [kept["id"]]})
    again = client.post(f"{url}/annotations", json=body)
    assert (again.status_code, again.json()["annotation"]["id"]) == (201, kept["id"])
    assert client.get(f"{url}/document").json()["annotations"] == []


def test_edits_by_hand_lose_the_score_of_the_old_mask(client: TestClient, image: dict[str, Any], label: int) -> None:
    url = f"/api/v1/images/{image['id']}/annotations"
    two_parts = {"x": 0, "y": 0, "w": 3, "h": 1, "runs": [0, 1, 1, 1]}
    kept = keep(client, image, label, two_parts, score=0.9).json()["annotation"]
    parts = client.post(f"{url}/split", json={"ids": [kept["id"]]}).json()["annotations"]
    assert [(each["score"], each["source"]) for each in parts] == [(None, "edit")] * 2
    (merged,) = client.post(f"{url}/merge", json={"ids": [each["id"] for each in parts]}).json()["annotations"]
    assert (merged["score"], merged["source"], merged["prompts"]) == (None, "edit", {})


def test_too_many_prompts_of_one_user_at_once_are_refused_before_they_cost_anything(
    client: TestClient, image: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"/api/v1/images/{image['id']}/prompt"
    with monkeypatch.context() as full:
        full.setattr("annotator.web.prompt_limit.MOST", 0)
        refused = client.post(url, json={"points": [[10, 10, 1]]})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert client.post(url, json={"points": [[10, 10, 1]]}).status_code == 200


@pytest.mark.parametrize("field", ["name", "color", "supercategory"])
def test_a_field_of_a_label_cannot_be_null(client: TestClient, label: int, field: str) -> None:
    assert client.patch(f"/api/v1/labels/{label}", json={field: None}).status_code == 422


@pytest.mark.parametrize("host", ["evil.test:7860", "[::1", "", "test.evil.test"])
def test_a_name_rebound_to_this_server_is_refused_in_a_sentence(client: TestClient, host: str) -> None:
    refused = client.get("/api/v1/status", headers={"Host": host})
    assert refused.status_code == 400
    assert "ANNOTATOR_ALLOWED_HOSTS" in refused.json()["detail"]


def test_a_deleted_image_can_be_restored_with_its_objects(
    client: TestClient, project: int, image: dict[str, Any], label: int
) -> None:
    keep(client, image, label, {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]})
    url = f"/api/v1/images/{image['id']}"
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404
    assert image["id"] not in {i["id"] for i in client.get(f"/api/v1/projects/{project}/images").json()["images"]}
    assert client.post(f"{url}/restore").json()["annotations"] == 1


def test_thumbnails_pixels_and_samples_are_images(client: TestClient, project: int, image: dict[str, Any]) -> None:
    for url in (image["url"], image["thumbnail_url"], client.get("/api/v1/samples").json()[0]["thumbnail_url"]):
        reply = client.get(url)
        assert reply.headers["Content-Type"] == "image/jpeg"
        Image.open(io.BytesIO(reply.content)).load()
    added = [
        client.post(f"/api/v1/projects/{project}/samples", json={"name": "skimage_rocket"}).json() for _ in range(2)
    ]
    assert added[0]["id"] == added[1]["id"]


def test_everything_is_still_there_after_a_restart(settings: Settings, client: TestClient, project: int) -> None:
    before = client.get(f"/api/v1/projects/{project}/images").json()
    again = Workspace(settings, Store(settings.store_url), LocalSegmenter(settings))
    with TestClient(create_app(again, settings, page=False), base_url="http://test") as restarted:
        after = restarted.get(f"/api/v1/projects/{project}/images").json()
        drop = {"embedding"}  # the model may still be loading
        assert [{k: v for k, v in i.items() if k not in drop} for i in after["images"]] == [
            {k: v for k, v in i.items() if k not in drop} for i in before["images"]
        ]
        seen = next(i for i in before["images"] if i["embedding"] == "ready")
        reply = restarted.post(f"/api/v1/images/{seen['id']}/prompt", json={"points": [[10, 10, 1]]})
        assert reply.json()["timing"]["encode"] is None


def test_the_openapi_page_describes_every_route(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert "/api/v1/images/{image_id}/prompt" in paths
    assert client.get("/docs").status_code == 200
    assert json.dumps(paths).count('"summary"') >= 30


DISC = (1128, 900)
DETAIL = {"x": 1000, "y": 750, "width": 240, "height": 300}
WIDENED = (slice(580, 1220), slice(800, 1440))
"""What the model sees of `DETAIL`: as many pixels as its input has."""


@pytest.fixture
def large(client: TestClient, project: int) -> tuple[dict[str, Any], np.ndarray]:
    """A photo of 2255 x 1800 pixels with a disc drawn on it, and the disc's mask."""
    photo = np.tile(np.asarray(Image.open(SAMPLES / "skimage_chelsea.jpg").convert("RGB")), (6, 5, 1)).copy()
    disc = np.zeros(photo.shape[:2], np.uint8)
    cv2.circle(disc, DISC, 50, 1, -1)
    photo[disc > 0] = (20, 90, 200)
    data = io.BytesIO()
    Image.fromarray(photo).save(data, "PNG")
    return upload(client, project, (f"large {uuid.uuid4().hex}.png", data.getvalue())).json()["images"][0], disc > 0


def test_a_detail_view_answers_in_image_coordinates(client: TestClient, large: Any) -> None:
    image, _ = large
    outside = np.ones((image["height"], image["width"]), bool)
    outside[WIDENED] = False
    answer = click(client, image, (1110, 900, 1), view=DETAIL)
    assert not any(pixels(each["mask"], *outside.shape)[outside].any() for each in answer["candidates"])
    elsewhere = client.post(f"/api/v1/images/{image['id']}/prompt", json={"points": [[10, 10, 1]], "view": DETAIL})
    assert elsewhere.status_code == 422
    beyond = {"points": [[1110, 900, 1]], "view": {**DETAIL, "width": 1400}}
    assert client.post(f"/api/v1/images/{image['id']}/prompt", json=beyond).json()["field"] == "view"


def test_fine_detail_finds_better_edges_on_a_large_image(client: TestClient, large: Any) -> None:
    image, disc = large

    def boundary_iou(**view: Any) -> float:
        found = pixels(click(client, image, (*DISC, 1), **view)["candidates"][0]["mask"], *disc.shape)
        return iou(band(found, 2), band(disc, 2))

    whole, detail = boundary_iou(), boundary_iou(view=DETAIL)
    assert detail > whole + 0.2


def test_a_view_of_an_image_that_the_model_sees_whole_is_the_whole_image(
    client: TestClient, image: dict[str, Any]
) -> None:
    view = {"x": 100, "y": 50, "width": 200, "height": 150}
    whole = click(client, image, (200, 120, 1))
    assert click(client, image, (200, 120, 1), view=view)["candidates"] == whole["candidates"]


def test_an_exported_file_can_be_imported_and_bad_entries_are_named(
    client: TestClient, project: int, label: int
) -> None:
    data = (SAMPLES / "skimage_coffee.jpg").read_bytes()
    (image,) = upload(client, project, ("import-me.jpg", data)).json()["images"]
    mask = {"x": 5, "y": 6, "w": 7, "h": 8, "runs": [0, 56]}
    keep(client, image, label, mask)
    exported = client.get(f"/api/v1/projects/{project}/export/coco", params={"image_id": image["id"]}).json()
    exported["annotations"].append({**exported["annotations"][0], "id": 2, "segmentation": {"size": [1, 1]}})
    exported["categories"][0]["name"] = "newcomer"
    file = {"file": ("coco.json", json.dumps(exported))}
    reply = client.post(f"/api/v1/projects/{project}/import/coco", files=file).json()
    assert reply["kept"] == 1
    assert len(reply["problems"]) == 1
    document = client.get(f"/api/v1/images/{image['id']}/document").json()
    assert [a["mask"] for a in document["annotations"]] == [mask, mask]
    assert "newcomer" in {each["name"] for each in client.get(f"/api/v1/projects/{project}/labels").json()}
    assert client.post(f"/api/v1/projects/{project}/import/coco", files={"file": ("x", b"no json")}).status_code == 422


def test_upcoming_images_are_encoded_in_the_background(client: TestClient, project: int) -> None:
    added = [
        upload(client, project, (f"upcoming {name}.jpg", (SAMPLES / f"{name}.jpg").read_bytes())).json()["images"][0]
        for name in ("skimage_astronaut", "skimage_rocket")
    ]
    client.post(f"/api/v1/images/{added[0]['id']}/open", json={"upcoming": [added[1]["id"]]})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if client.get(f"/api/v1/images/{added[1]['id']}").json()["embedding"] == "ready":
            return
        time.sleep(0.05)
    raise AssertionError("the next image was not encoded")


def test_every_kind_of_change_can_be_repeated_when_its_reply_was_lost(
    client: TestClient, image: dict[str, Any], label: int
) -> None:
    url = f"/api/v1/images/{image['id']}/annotations"
    squares = [{"x": x, "y": 10, "w": 20, "h": 20, "runs": [0, 400]} for x in (10, 100, 200)]
    ids = [keep(client, image, label, mask).json()["annotation"]["id"] for mask in squares]
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{url}/merge", {"ids": ids[:2], "request_id": "merge-it"}),
        ("POST", f"{url}/split", {"ids": ids[:1], "request_id": "split-it"}),
        ("POST", f"{url}/clean", {"ids": ids[:1], "fill_holes": 5, "request_id": "clean-it"}),
        ("POST", f"{url}/relabel", {"ids": ids[:1], "label_id": label, "request_id": "relabel-it"}),
        ("PATCH", f"{url}/{ids[2]}", {"score": 0.5, "request_id": "change-it"}),
        ("POST", f"{url}/delete", {"ids": ids[2:], "request_id": "delete-it"}),
    ]
    for method, path, body in requests:
        first, second = (client.request(method, path, json=body) for _ in range(2))
        assert first.status_code == second.status_code == 200, (path, second.text)
        assert first.json()["history"] == second.json()["history"], path


def test_one_project_cannot_export_an_image_of_another(client: TestClient, image: dict[str, Any]) -> None:
    other = client.post("/api/v1/projects", json={"name": "other"}).json()["id"]
    reply = client.get(f"/api/v1/projects/{other}/export/coco", params={"image_id": image["id"]})
    assert reply.status_code == 404


def test_a_model_that_cannot_be_had_is_one_sentence_and_the_present_one_goes_on(
    client: TestClient, image: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    reply = client.put("/api/v1/model", json={"name": "base_plus"})
    assert (reply.status_code, reply.json()["model"]["name"]) == (202, "nano")
    deadline = time.monotonic() + 60
    while (model := client.get("/api/v1/status").json()["model"])["loading"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert model["name"] == "nano"
    assert "could not be downloaded" in model["error"]
    click(client, image, (10, 10, 1))
    reply = client.put("/api/v1/model", json={"name": "huge"})
    assert (reply.status_code, reply.json()["detail"]) == (404, reply.json()["detail"])


def test_an_answer_of_another_view_is_not_refined(client: TestClient, large: Any) -> None:
    image, view = large[0], DETAIL
    points = ((1110, 900, 1), (1050, 800, 0))
    whole = click(client, image, points[0])
    plain = click(client, image, *points, view=view)
    refined = click(client, image, *points, view=view, refine={"token": whole["token"], "index": 0})
    assert refined["candidates"] == plain["candidates"]
    seen = click(client, image, points[0], view=view)
    same = click(client, image, *points, view=view, refine={"token": seen["token"], "index": 0})
    assert same["candidates"] != plain["candidates"]


def test_correcting_in_a_detail_view_leaves_what_lies_outside_it_alone(client: TestClient, large: Any) -> None:
    image, view = large[0], DETAIL
    left = {"x": 0, "y": 0, "w": 1100, "h": 1800, "runs": [0, 1100 * 1800]}
    points = [(20, 20, 1), (1110, 900, 1)]  # the first is a prompt of the mask's own, outside the view
    answer = click(client, image, *points, view=view, mask=left)
    inside = np.zeros((image["height"], image["width"]), bool)
    inside[WIDENED] = True
    before = pixels(left, *inside.shape)
    alone = click(client, image, points[1], view=view, mask=left)
    for each, same in zip(answer["candidates"], alone["candidates"], strict=True):
        mask = pixels(each["mask"], *inside.shape)
        np.testing.assert_array_equal(mask[~inside], before[~inside])
        assert each == same


def test_an_image_with_objects_is_in_progress_until_it_is_done(
    client: TestClient, project: int, image: dict[str, Any], label: int
) -> None:
    url = f"/api/v1/images/{image['id']}"
    keep(client, image, label, {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]})
    assert client.get(url).json()["status"] == "in_progress"
    found = client.get(f"/api/v1/projects/{project}/images", params={"status": "in_progress", "limit": 1000}).json()
    assert image["id"] in {each["id"] for each in found["images"]}
    client.patch(url, json={"status": "done"})
    keep(client, image, label, {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]})
    assert client.get(url).json()["status"] == "done"


def test_a_mask_changed_by_hand_has_no_score(client: TestClient, image: dict[str, Any], label: int) -> None:
    square = {"x": 1, "y": 2, "w": 3, "h": 4, "runs": [0, 12]}
    made = keep(client, image, label, square, score=0.9).json()["annotation"]
    assert made["score"] == 0.9
    url = f"/api/v1/images/{image['id']}/annotations/{made['id']}"
    assert client.patch(url, json={"label_id": label}).json()["annotation"]["score"] == 0.9
    assert client.patch(url, json={"mask": {**square, "x": 5}}).json()["annotation"]["score"] is None


def test_skimming_through_images_leaves_only_the_last_few_to_encode(
    client: TestClient, project: int, settings: Settings
) -> None:
    space: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    photo = np.asarray(Image.open(SAMPLES / "skimage_chelsea.jpg").convert("RGB"))
    ids = []
    for shift in range(1, 9):
        buffer = io.BytesIO()
        Image.fromarray(np.roll(photo, shift, axis=1)).save(buffer, "PNG")
        ids.append(upload(client, project, (f"{shift}.png", buffer.getvalue())).json()["images"][0]["id"])
    gate = threading.Event()
    space.segmenter.engine.submit(Priority.CLICK, lambda: gate.wait(30))
    for each in ids:
        assert client.post(f"/api/v1/images/{each}/open").status_code == 200
    gate.set()
    all_done(space.segmenter.engine)
    ready = [client.get(f"/api/v1/images/{each}").json()["embedding"] == "ready" for each in ids]
    assert ready == [False] * 4 + [True] * 4


def test_a_full_queue_does_not_keep_an_image_from_opening(
    client: TestClient, image: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    space: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    monkeypatch.setattr(space.segmenter.engine, "_max_queue", 0)
    assert client.post(f"/api/v1/images/{image['id']}/open").status_code == 200


def test_images_come_page_by_page_and_the_last_page_says_so(client: TestClient) -> None:
    project = client.post("/api/v1/projects", json={"name": "pages"}).json()["id"]
    cat = (SAMPLES / "skimage_chelsea.jpg").read_bytes()
    ids = [upload(client, project, (f"{n}.jpg", cat)).json()["images"][0]["id"] for n in range(3)]
    url = f"/api/v1/projects/{project}/images"
    first = client.get(url, params={"limit": 2}).json()
    second = client.get(url, params={"limit": 2, "after": first["next"]}).json()
    assert [each["id"] for each in first["images"] + second["images"]] == ids
    assert (first["total"], second["next"]) == (3, None)
    assert client.get(url, params={"after": "gone"}).status_code == 404


def test_a_document_that_has_not_changed_is_not_sent_again(
    client: TestClient, image: dict[str, Any], label: int
) -> None:
    url = f"/api/v1/images/{image['id']}/document"
    first = client.get(url)
    known = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    again = client.get(url, headers=known)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    keep(client, image, label, {"x": 0, "y": 0, "w": 1, "h": 1, "runs": [0, 1]})
    assert len(client.get(url, headers=known).json()["annotations"]) == 1


def test_failures_are_problem_documents(client: TestClient) -> None:
    reply = client.get("/api/v1/images/unknown")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such image.",
        "field": None,
    }
    answers = client.get("/openapi.json").json()["paths"]["/api/v1/images/{image_id}"]["get"]["responses"]
    assert list(answers["404"]["content"]) == ["application/problem+json"]


def test_many_objects_in_one_request_get_their_masks_in_order(client: TestClient, image: dict[str, Any]) -> None:
    objects = [{"points": [[200, 150, 1]]}, {"box": [100, 50, 300, 250]}, {"points": [[60, 80, 1], [10, 10, 0]]}]
    reply = client.post(f"/api/v1/images/{image['id']}/prompts", json={"objects": objects})
    assert reply.status_code == 200, reply.text
    for prompt, answer in zip(objects, reply.json()["objects"], strict=True):
        single = client.post(f"/api/v1/images/{image['id']}/prompt", json=prompt).json()["candidates"][0]
        same = [pixels(each["mask"], image["height"], image["width"]) for each in (answer, single)]
        assert np.count_nonzero(same[0] != same[1]) <= 0.001 * single["area"]


def test_an_object_that_is_no_prompt_is_named(client: TestClient, image: dict[str, Any]) -> None:
    objects = [{"points": [[200, 150, 1]]}, {"points": [[200, 9000, 1]]}]
    reply = client.post(f"/api/v1/images/{image['id']}/prompts", json={"objects": objects})
    assert (reply.status_code, reply.json()["field"]) == (422, "objects[1].points[0]")
    assert reply.json()["detail"].startswith("Object 2: The point (200, 9000) lies outside")


def test_an_image_with_a_mask_too_intricate_to_be_shown_opens_without_it(
    client: TestClient, project: int, image: dict[str, Any], label: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripes = {"x": 0, "y": 0, "w": 400, "h": 1, "runs": [0, *[1] * 399, 1]}
    plain = {"x": 5, "y": 5, "w": 2, "h": 2, "runs": [0, 4]}
    intricate = keep(client, image, label, stripes).json()["annotation"]
    simple = keep(client, image, label, plain).json()["annotation"]
    monkeypatch.setattr(rles, "MAX_ROW_RUNS", 300)  # as if an older version had kept it
    url = f"/api/v1/images/{image['id']}"
    shown = client.post(f"{url}/open").json()["annotations"]
    assert shown == [{**intricate, "mask": {"x": 0, "y": 0, "w": 0, "h": 0, "runs": []}}, simple]
    refused = client.patch(f"{url}/annotations/{intricate['id']}", json={"mask": plain})
    assert refused.status_code == 422 and "too intricate" in refused.json()["detail"]
    other = client.post(f"/api/v1/projects/{project}/labels", json={"name": "other"}).json()["id"]
    moved = client.patch(f"{url}/annotations/{intricate['id']}", json={"label_id": other})
    assert moved.status_code == 200 and moved.json()["annotation"]["area"] == intricate["area"]
    exported = client.get(f"/api/v1/projects/{project}/export/coco", params={"image_id": image["id"]}).json()
    (mask,) = (each["segmentation"] for each in exported["annotations"] if each["area"] == intricate["area"])
    np.testing.assert_array_equal(coco_mask.decode(mask).astype(bool), pixels(stripes, 300, 451))
    gone = client.post(f"{url}/annotations/delete", json={"ids": [intricate["id"]]})
    assert gone.status_code == 200
    assert client.post(f"{url}/undo").json()["annotations"] == [{**shown[0], "label_id": other}, simple]


def test_an_address_that_does_not_take_a_method_says_which_ones_it_takes(client: TestClient) -> None:
    reply = client.request("TRACE", "/api/v1/projects/1/labels")
    assert (reply.status_code, reply.headers["Allow"]) == (405, "GET, POST")
    assert reply.json()["detail"] == "This address does not take this method."
    assert client.get("/api/v1/nothing").json()["detail"] == "There is nothing here."


def test_a_body_that_cannot_be_read_is_refused_in_one_sentence(client: TestClient) -> None:
    reply = client.post("/api/v1/projects", content=b">\xff", headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["detail"]) == (
        400,
        "The body cannot be read: it should be JSON, or a form with files.",
    )


def test_a_form_with_too_many_files_says_how_many_it_may_have(client: TestClient) -> None:
    files = [("files", (f"{number}.jpg", b"")) for number in range(1001)]
    reply = client.post("/api/v1/projects/1/images", files=files)
    assert (reply.status_code, reply.json()["detail"]) == (400, "Too many files. Maximum number of files is 1000.")


@pytest.mark.parametrize("action", ["many", "delete", "relabel", "merge", "split", "clean"])
def test_an_action_is_no_object(client: TestClient, image: dict[str, Any], action: str) -> None:
    reply = client.patch(f"/api/v1/images/{image['id']}/annotations/{action}", json={})
    assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")
