"""Visitors of an app with the component: values in and out, and nothing of one visitor for another."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotator.errors import InvalidMask, NotFound
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.web import guests as module
from annotator.web.guests import Guests, Segmentation
from annotator.workspace.workspace import Workspace
from tests.conftest import SAMPLES
from tests.fake_segmenter import FakeSegmenter


@pytest.fixture
def guests(tmp_path: Path) -> Guests:
    settings = Settings(data_dir=tmp_path, allowed_hosts=("component",))
    return Guests(Workspace(settings, Store(settings.store_url), FakeSegmenter()))


def ask(guests: Guests, session: str, path: str, method: str = "GET", **body: Any) -> Any:
    sent = base64.b64encode(json.dumps(body).encode() if body else b"").decode()
    reply = asyncio.run(guests.answer(session, method, path, "application/json", sent))
    return reply["status"], json.loads(reply["text"]) if reply["text"] else reply["base64"]


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_a_segmentation_comes_back_as_it_was_given(guests: Guests) -> None:
    masks = [np.zeros((20, 30), bool) for _ in range(2)]
    masks[0][2:5, 3:9] = masks[1][10:, 20:] = True
    given = Segmentation(picture(), masks, ["cat", "dog"], [0.5, None])
    value = guests.show(given, ["dog"])
    got = guests.segmentation(value["session"], value["image"])
    assert np.array_equal(got.image, given.image)
    assert all(map(np.array_equal, got.masks, masks))
    assert (got.labels, got.scores) == (["cat", "dog"], [0.5, None])


@pytest.mark.parametrize("kind", ["array", "pillow", "path"])
def test_an_image_can_be_given_in_three_ways(guests: Guests, kind: str) -> None:
    path = SAMPLES / "skimage_chelsea.jpg"
    opened = Image.open(path)
    value = guests.show({"array": np.asarray(opened), "pillow": opened, "path": path}[kind], ["object"])
    got = guests.segmentation(value["session"], value["image"])
    assert got.image.shape == (300, 451, 3) and got.masks == []


def test_what_a_visitor_keeps_is_in_the_value(guests: Guests) -> None:
    value = guests.show(picture(), ["cat"])
    session, image = value["session"], value["image"]
    project = ask(guests, session, "/api/v1/status")[1]["project_id"]
    _, labels = ask(guests, session, f"/api/v1/projects/{project}/labels")
    mask = {"x": 1, "y": 2, "w": 2, "h": 1, "runs": [0, 2]}
    new = {"label_id": labels[0]["id"], "mask": mask}
    assert ask(guests, session, f"/api/v1/images/{image}/annotations", "POST", **new)[0] == 201
    got = guests.segmentation(session, image)
    assert got.labels == ["cat"] and got.masks[0].sum() == 2 and got.masks[0][2, 1:3].all()


def test_visitors_see_nothing_of_each_other(guests: Guests) -> None:
    value = guests.show(picture(), ["object"])
    other = guests.start(["object"])
    assert ask(guests, other, f"/api/v1/images/{value['image']}")[0] == 404
    with pytest.raises(NotFound):
        guests.segmentation(other, value["image"])
    for session in ("", "local", "guessed"):
        assert ask(guests, session, "/api/v1/status")[0] == 404


@pytest.mark.parametrize("path", ["/api/v1/model", "/api/v1/folders", "/docs", "/api/v1/images/../model", "http://a/b"])
def test_visitors_reach_only_what_the_canvas_needs(guests: Guests, path: str) -> None:
    with pytest.raises(NotFound):
        ask(guests, guests.start([]), path, "PUT", name="tiny")


def test_a_mask_that_does_not_fit_its_image_is_refused(guests: Guests) -> None:
    with pytest.raises(InvalidMask, match="image is"):
        guests.show(Segmentation(picture(), [np.ones((2, 2), bool)], ["a"], [None]), [])


def test_sessions_that_are_idle_or_too_many_end_with_their_files(
    guests: Guests, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    values = [guests.show(picture() + i, ["object"]) for i in range(4)]
    alive = [ask(guests, each["session"], "/api/v1/status")[0] for each in values]
    assert alive[0] == 404 and alive[-1] == 200
    monkeypatch.setattr(module, "_IDLE_SECONDS", -1)
    guests.start([])
    assert [ask(guests, each["session"], "/api/v1/status")[0] for each in values] == [404] * 4
    assert not [path for path in (tmp_path / "images").rglob("*") if path.is_file()]
