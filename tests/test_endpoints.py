"""The endpoints of Gradio, with its own client: masks, files, refusals, and what stays shut."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from pycocotools import mask as coco_mask

from tests.conftest import ROOT, SAMPLES, Server

CAT = SAMPLES / "skimage_chelsea.jpg"
CAT_URL = "data:image/jpeg;base64," + base64.b64encode(CAT.read_bytes()).decode()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    connected = Client(server.url, verbose=False, analytics_enabled=False)
    yield connected
    connected.close()


def test_a_client_finds_the_endpoints_with_their_names_and_descriptions(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/segment", "/segment_many", "/automask", "/export"}
    parameters = endpoints["/segment"]["parameters"]
    assert [each["parameter_name"] for each in parameters] == ["image", "points", "box"]
    assert endpoints["/segment"]["description"].startswith("Segment one object")


def test_an_image_that_is_not_kept_is_segmented(client: Client, server: Server) -> None:
    before = httpx.get(f"{server.url}/api/v1/projects").json()
    found = client.predict(image=CAT_URL, points=[[225, 150, 1]], api_name="/segment")
    mask = coco_mask.decode(found["mask"])
    assert mask.shape == (300, 451) and mask[150, 225] == 1 and mask.sum() == found["area"]
    assert httpx.get(f"{server.url}/api/v1/projects").json() == before


def test_an_uploaded_image_is_segmented_and_exported(client: Client, server: Server) -> None:
    api = f"{server.url}/api/v1"
    project = httpx.post(f"{api}/projects", json={"name": "endpoints"}).json()["id"]
    label = httpx.post(f"{api}/projects/{project}/labels", json={"name": "cat"}).json()["id"]
    files = {"files": ("cat.jpg", CAT.read_bytes())}
    (image,) = httpx.post(f"{api}/projects/{project}/images", files=files).json()["images"]
    found = client.predict(image=image["id"], objects=[{"box": [100, 20, 300, 250]}] * 2, api_name="/segment_many")
    assert len(found) == 2 and found[0] == found[1]
    new = {"label_id": label, "mask": {"x": 0, "y": 0, "w": 2, "h": 1, "runs": [0, 2]}}
    assert httpx.post(f"{api}/images/{image['id']}/annotations", json=new).status_code == 201
    file = client.predict(project=project, api_name="/export")
    assert json.loads(file["text"])["annotations"][0]["area"] == 2


def test_the_example_of_the_documentation_runs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(CAT.read_bytes())
    blocks = (ROOT / "docs/gradio.md").read_text().split("```python\n")
    code = next(block for block in blocks if "gradio_client" in block).split("```")[0]
    exec(code.replace("http://127.0.0.1:7860", server.url), {})
    assert "'size': [300, 451]" in capsys.readouterr().out


def test_everything_in_an_image_is_segmented(client: Client) -> None:
    found = client.predict(image=CAT_URL, points_per_side=2, api_name="/automask")
    assert found and set(found[0]) == {"mask", "score", "area", "bbox"}


def test_a_run_ends_when_its_caller_has_gone(server: Server) -> None:
    def runs() -> float:
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        return float(next(each for each in lines if 'waiting_tasks{priority="background"}' in each).split()[1])

    address = f"{server.url}/gradio_api/call/automask"
    begun = httpx.post(address, json={"data": [CAT_URL, 64]}).json()["event_id"]
    with httpx.stream("GET", f"{address}/{begun}") as events:
        assert events.status_code == 200
        while not runs():
            time.sleep(0.05)
    left_at = time.monotonic()
    while runs():
        time.sleep(0.05)
        assert time.monotonic() < left_at + 30, "the whole run takes minutes"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"image": CAT_URL, "points": [[9999, 1, 1]]}, "outside the image"),
        ({"image": CAT_URL, "points": [[1, 2]]}, "points"),
        ({"image": CAT_URL}, "^a prompt needs a point or a box"),
        ({"image": "data:image/jpeg;base64,AAAA", "box": [0, 0, 1, 1]}, "not an image"),
        ({"image": "data:image/jpeg,AAAA", "box": [0, 0, 1, 1]}, "data URL should look like"),
        ({"image": "nobody's", "box": [0, 0, 1, 1]}, "no such image"),
        ({"image": {"path": "http://127.0.0.1/", "meta": {"_type": "gradio.FileData"}}}, "A file was given"),
        ({"image": 3}, "an id or a data URL"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(client: Client, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AppError, match="(?i)" + sentence):
        client.predict(**arguments, api_name="/segment")
