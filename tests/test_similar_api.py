"""Searches for similar objects and label suggestions over REST, on a segmenter that compares colours."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.web.server import create_app
from annotator.workspace.similar import MAX_EXAMPLES
from annotator.workspace.suggestions import choose
from annotator.workspace.views import View, split, views_of
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter

RED, GREEN = (0, 0), (60, 0)
"""Corners of the squares of these colours in the picture."""


@pytest.fixture(scope="module")
def fake() -> FakeSegmenter:
    return FakeSegmenter()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, fake: FakeSegmenter) -> Iterator[TestClient]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), allowed_hosts=("test",))
    app = create_app(Workspace(settings, Store(settings.store_url), fake), settings, page=False)
    with TestClient(app, base_url="http://test") as running:
        yield running


@pytest.fixture
def project(client: TestClient) -> int:
    """A new one for each test."""
    return int(client.post("/api/v1/projects", json={"name": f"garden {uuid.uuid4().hex}"}).json()["id"])


@pytest.fixture
def labels(client: TestClient, project: int) -> list[int]:
    names = ("leaf", "berry")
    return [client.post(f"/api/v1/projects/{project}/labels", json={"name": each}).json()["id"] for each in names]


def add_picture(client: TestClient, project: int, shade: int = 0) -> dict[str, Any]:
    """A red half and a green half of 60 x 60 pixels each, a little different in each `shade`; opened."""
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[:, :60], pixels[:, 60:] = (200, shade, 0), (shade, 200, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    files = {"files": (f"{shade}.png", buffer.getvalue())}
    image: dict[str, Any] = client.post(f"/api/v1/projects/{project}/images", files=files).json()["images"][0]
    client.post(f"/api/v1/images/{image['id']}/open")
    return image


def square(corner: tuple[int, int], offset: int = 0) -> dict[str, Any]:
    x, y = corner
    return {"x": x + offset, "y": y + offset, "w": 20, "h": 20, "runs": [0, 400]}


def keep(client: TestClient, image: dict[str, Any], label: int, mask: dict[str, Any]) -> str:
    reply = client.post(f"/api/v1/images/{image['id']}/annotations", json={"label_id": label, "mask": mask})
    return str(reply.json()["annotation"]["id"])


def suggestion(client: TestClient, image: dict[str, Any], mask: dict[str, Any]) -> int | None:
    reply = client.post(f"/api/v1/images/{image['id']}/label-suggestion", json={"mask": mask})
    assert reply.status_code == 200, reply.text
    label: int | None = reply.json()["label_id"]
    return label


def test_a_search_from_a_kept_object_ends_with_proposals_and_their_similarity(
    client: TestClient, project: int, labels: list[int]
) -> None:
    image = add_picture(client, project)
    example = keep(client, image, labels[0], square(RED))
    job = client.post(f"/api/v1/images/{image['id']}/similar", json={"annotation_ids": [example]}).json()["job_id"]
    status = client.get(f"/api/v1/jobs/{job}").json()
    assert status["state"] == "done"
    assert [each["similarity"] for each in status["proposals"]] == [0.75]
    assert status["proposals"][0]["bbox"] == [20, 0, 20, 20]


def test_examples_may_lie_in_another_image(client: TestClient, project: int, labels: list[int]) -> None:
    first, second = add_picture(client, project), add_picture(client, project, shade=9)
    example = keep(client, first, labels[0], square(RED))
    url, body = f"/api/v1/images/{second['id']}/similar", {"annotation_ids": [example], "examples_in": first["id"]}
    job = client.post(url, json=body).json()["job_id"]
    assert job.startswith(second["id"])
    assert client.get(f"/api/v1/jobs/{job}").json()["proposals"]
    assert client.post(url, json={"annotation_ids": [example]}).status_code == 404


def test_examples_that_are_not_there_or_too_many_are_refused(client: TestClient, project: int) -> None:
    image = add_picture(client, project)
    url = f"/api/v1/images/{image['id']}/similar"
    for body, code in (
        ({"annotation_ids": []}, 422),
        ({"annotation_ids": ["x"] * (MAX_EXAMPLES + 1)}, 422),
        ({"annotation_ids": ["nothing"]}, 404),
        ({"annotation_ids": ["nothing"], "examples_in": "nowhere"}, 404),
    ):
        reply = client.post(url, json=body)
        assert reply.status_code == code
        assert reply.json()["detail"]


def test_a_search_before_there_is_a_model_is_refused_for_the_moment(
    client: TestClient, project: int, labels: list[int], fake: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_picture(client, project)
    example = keep(client, image, labels[0], square(RED))
    monkeypatch.setattr(fake, "image_size", 0)
    reply = client.post(f"/api/v1/images/{image['id']}/similar", json={"annotation_ids": [example]})
    assert (reply.status_code, reply.json()["detail"][:26]) == (503, "The model is still loading")


def test_a_new_object_gets_the_label_of_what_it_looks_like(client: TestClient, project: int, labels: list[int]) -> None:
    image = add_picture(client, project)
    keep(client, image, labels[0], square(RED))
    assert suggestion(client, image, square(RED, 20)) is None, "there is nothing to choose between"
    keep(client, image, labels[1], square(GREEN))
    assert suggestion(client, image, square(RED, 20)) == labels[0]
    assert suggestion(client, image, square(GREEN, 20)) == labels[1]


def test_a_suggestion_knows_the_images_before_and_what_was_corrected_there(
    client: TestClient, project: int, labels: list[int]
) -> None:
    first, second = add_picture(client, project), add_picture(client, project, shade=9)
    red = keep(client, first, labels[0], square(RED))
    green = keep(client, first, labels[1], square(GREEN))
    suggestion(client, first, square(RED, 20))
    assert suggestion(client, second, square(RED, 20)) == labels[0]
    for each, label in ((red, labels[1]), (green, labels[0])):
        client.patch(f"/api/v1/images/{first['id']}/annotations/{each}", json={"label_id": label})
    assert suggestion(client, second, square(RED, 20)) == labels[1]
    client.delete(f"/api/v1/images/{first['id']}")
    assert suggestion(client, second, square(RED, 20)) is None


def test_nothing_is_encoded_for_a_suggestion(
    client: TestClient, project: int, labels: list[int], fake: FakeSegmenter
) -> None:
    image = add_picture(client, project)
    keep(client, image, labels[0], square(RED))
    keep(client, image, labels[1], square(GREEN))
    fake.encoded.clear()
    assert suggestion(client, image, square(RED, 20)) is None


def test_a_label_is_chosen_only_when_it_is_clearly_nearest() -> None:
    def at(degrees: float) -> np.ndarray:
        return np.array((np.cos(np.radians(degrees)), np.sin(np.radians(degrees))), np.float32)

    assert choose(at(0), [(1, at(5)), (2, at(30))]) == 1
    assert choose(at(0), [(1, at(20)), (2, at(-21))]) is None, "both are as near"
    assert choose(at(0), [(1, at(60)), (2, at(90))]) is None, "nothing is near"
    assert choose(at(0), [(1, at(5)), (1, at(6))]) is None, "there is one label only"
    assert choose(at(0), [(1, at(2)), (1, at(35)), (2, at(15)), (2, at(15))]) == 2, "one odd object does not decide"


def test_an_image_is_split_into_equal_views_that_overlap_and_cover_it() -> None:
    assert split(1, 10, 60, 100) == [View(0, 0, 100, 60)]
    assert split(2, 10, 60, 100) == [View(0, 0, 55, 35), View(45, 0, 55, 35), View(0, 25, 55, 35), View(45, 25, 55, 35)]


@pytest.mark.parametrize(("size", "parts"), [(60, 1), (24, 4), (15, 9), (2, 16)])
def test_small_objects_are_looked_for_in_more_parts(size: int, parts: int) -> None:
    assert len(views_of([size**2], 384, 512, 512)) == parts
