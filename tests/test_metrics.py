"""Metrics: a click and an image are counted by their spans, the dashboard knows what is there, and who may look."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from annotator.serving.local import LocalSegmenter
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.web import prompt_limit
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.conftest import ROOT, SAMPLES

OPERATOR = ("127.0.0.1", 50000)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    data_dir = tmp_path_factory.mktemp("data")
    settings = Settings(data_dir=data_dir, allowed_hosts=("test",), model="nano", device="cpu", compile=False)
    return create_app(Workspace(settings, Store(settings.store_url), LocalSegmenter(settings)), settings, page=False)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://test", client=OPERATOR) as running:
        yield running


@pytest.fixture(scope="module")
def image(client: TestClient) -> str:
    project = client.get("/api/v1/status").json()["project_id"]
    files = {"files": ("cat.jpg", (SAMPLES / "skimage_chelsea.jpg").read_bytes())}
    (added,) = client.post(f"/api/v1/projects/{project}/images", files=files).json()["images"]
    return f"/api/v1/images/{added['id']}"


def counted(client: TestClient) -> dict[str, float]:
    """Every sample of /metrics."""
    text = client.get("/metrics").text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def click(server: TestClient, image: str, **body: object) -> None:
    assert server.post(f"{image}/prompt", json={"points": [[200, 150, 1]], **body}).status_code == 200


def test_a_click_is_counted_by_its_spans_and_where_its_embedding_was(client: TestClient, image: str) -> None:
    click(client, image)
    before = counted(client)
    click(client, image)
    click(client, image, kind="hover", client="pointer")
    after = counted(client)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    for span in ("queue", "decode", "postprocess", "total"):
        for kind in ("click", "hover"):
            assert more(f'annotator_prompt_seconds_count{{kind="{kind}",span="{span}"}}') == 1
    assert more('annotator_prompt_seconds_count{kind="click",span="encode"}') == 0, "the embedding was there"
    assert more('annotator_embedding_hits_total{tier="host"}') == 2
    assert more("annotator_prompt_batch_size_count") == 2
    route = 'method="POST",route="prompt"'
    assert more(f'annotator_requests_total{{{route},status="200"}}') == 2
    assert more(f"annotator_request_seconds_count{{{route}}}") == 2


def test_an_image_is_counted_by_its_spans(client: TestClient, image: str) -> None:
    click(client, image)
    found = counted(client)
    for span in ("decode", "encode"):
        assert found[f'annotator_image_seconds_count{{span="{span}"}}'] >= 1
    assert found['annotator_prompt_seconds_count{kind="click",span="encode"}'] >= 1
    assert found['annotator_embedding_bytes{tier="host"}'] > 0
    assert found["process_resident_memory_bytes"] > 0
    assert found['annotator_waiting_tasks{priority="click"}'] == 0


def test_prompts_sent_together_are_a_batch(client: TestClient, image: str) -> None:
    before = counted(client)
    objects = [{"points": [[x, 150, 1]]} for x in (100, 200, 300)]
    client.post(f"{image}/prompts", json={"objects": objects})
    after = counted(client)
    assert after["annotator_prompt_batch_size_sum"] - before["annotator_prompt_batch_size_sum"] == 3
    assert after["annotator_prompt_batch_size_count"] - before["annotator_prompt_batch_size_count"] == 1


def test_a_refusal_is_counted_by_its_reason(client: TestClient, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(client)
    monkeypatch.setattr(prompt_limit, "MOST", 0)
    assert client.post(f"{image}/prompt", json={"points": [[200, 150, 1]]}).status_code == 503
    after = counted(client)
    name = 'annotator_rejections_total{reason="prompts"}'
    assert after[name] - before.get(name, 0.0) == 1


def test_labels_are_from_short_lists_whatever_is_asked(client: TestClient) -> None:
    client.request("MADEUP", "/api/v1/made/up")
    client.get("/made/up")
    names = " ".join(counted(client))
    assert "made" not in names.lower()
    assert 'method="other"' in names and 'route="other"' in names


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("a socket", {}, 403),
    ],
)
def test_metrics_are_for_this_machine_and_not_for_what_a_proxy_passes_on(
    app: FastAPI, address: str, headers: dict[str, str], status: int
) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as asking:
            return await asking.get("/metrics", headers=headers)

    reply = asyncio.run(ask())
    assert reply.status_code == status
    assert status == 200 or "ANNOTATOR_METRICS_FROM" in reply.json()["detail"]


def families() -> dict[str, Any]:
    """Each name that a query may use, and the names of its labels as far as they are known now."""
    found: dict[str, set[str]] = {}
    for family in REGISTRY.collect():
        suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        labels = {name for sample in family.samples for name in sample.labels}
        found |= {family.name + suffix: labels | {"job"} for suffix in suffixes}
    return found


def test_the_dashboard_shows_every_metric_and_none_that_is_not_there(client: TestClient, image: str) -> None:
    click(client, image)
    board = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    known = families()
    used: set[str] = set()
    for query in queries:
        names = set(re.findall(r"\b(?:annotator|process)_\w+", query))
        assert names and names <= set(known), query
        labels = set(re.findall(r"(\w+)!?=", query)) | set(
            re.findall(r"\w+", "".join(re.findall(r"by \((.*?)\)", query)))
        )
        assert labels <= set().union(*(known[name] for name in names)) | {"le"}, query
        used |= names
    ours = {family.name for family in REGISTRY.collect() if family.name.startswith("annotator_")}
    assert not {name for name in ours if not any(each.startswith(name) for each in used)}
