"""Alive and ready, as an orchestrator asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter


@pytest.fixture
def segmenter() -> FakeSegmenter:
    return FakeSegmenter()


@pytest.fixture
def client(tmp_path: Path, segmenter: FakeSegmenter) -> Iterator[TestClient]:
    settings = Settings(data_dir=tmp_path, allowed_hosts=("test",))
    app = create_app(Workspace(settings, Store(settings.store_url), segmenter), settings, page=False)
    with TestClient(app, base_url="http://test") as running:
        yield running


def test_ready_is_a_database_and_a_model(client: TestClient) -> None:
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()) == (200, {"ready": True, "database": "ok", "model": "fake"})
    for path in ("/readyz", "/healthz"):
        assert client.head(path).status_code == 200


def test_not_ready_while_the_model_loads_but_alive(client: TestClient, segmenter: FakeSegmenter) -> None:
    segmenter.model = ""
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json() == {"ready": False, "database": "ok", "model": "The model is still loading."}
    assert client.get("/healthz").json() == {"status": "ok"}


def test_not_ready_without_its_database_but_alive(client: TestClient, tmp_path: Path) -> None:
    client.app.state.workspace.store.close()  # type: ignore[attr-defined]
    for file in tmp_path.glob("annotator.db*"):
        file.unlink()
    (tmp_path / "annotator.db").mkdir()
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert not reply.json()["ready"]
    assert reply.json()["database"].startswith("The database is not available")
    assert client.get("/healthz").status_code == 200
