"""Who asks too often is told when to come again; who works fast never is."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from annotator.web import rates
from annotator.web.rates import RateLimit
from tests.test_login import PASSWORD, Site


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_taken_and_then_so_many_a_second() -> None:
    clock = Clock()
    limit = RateLimit(per_second=2, burst=5, clock=clock)
    assert [limit.wait("ann") for _ in range(5)] == [0] * 5
    assert limit.wait("ann") == pytest.approx(0.5)
    assert limit.wait("bob") == 0
    clock.now += 0.5
    assert (limit.wait("ann"), limit.wait("ann")) == (0, pytest.approx(0.5))
    clock.now += 100
    assert [limit.wait("ann") for _ in range(5)] == [0] * 5


def test_a_pointer_that_never_rests_is_never_stopped() -> None:
    clock = Clock()
    (clicks,) = (each for each in rates.all_routes() if each.name == "clicks")
    clicks.limit._clock = clock
    for _ in range(100_000):
        assert clicks.limit.wait("ann") == 0
        clock.now += 0.03


PATHS = {
    "logins": ["POST /login", "POST /api/v1/session"],
    "clicks": ["POST /api/v1/images/a/prompt", "POST /api/v1/images/a/prompts"],
    "uploads": [
        "POST /api/v1/projects/1/images",
        "POST /api/v1/projects/1/folder-images",
        "POST /api/v1/projects/1/samples",
        "POST /api/v1/projects/1/import/coco",
        "POST /api/v1/projects/1/import",
        "POST /api/v1/projects/1/boxes",
    ],
    "runs": ["POST /api/v1/images/a/automask", "POST /api/v1/images/a/similar", "POST /api/v1/jobs/a/resume"],
    "exports": [
        "GET /api/v1/projects/1/export/coco",
        "GET /api/v1/projects/1/export/coco/losses",
        "POST /api/v1/projects/1/exports/coco",
        "GET /api/v1/exports/a/file",
    ],
    "summaries": ["GET /api/v1/projects/1/summary"],
    "opened images": ["POST /api/v1/images/a/open", "POST /api/v1/projects/1/next-image"],
    "calls": ["POST /gradio_api/queue/join", "POST /gradio_api/call/segment", "POST /gradio_api/mcp/"],
    "": [
        "GET /api/v1/projects/1/images",
        "GET /api/v1/exports/a",
        "GET /login",
        "GET /gradio_api/queue/data",
        "POST /api/v1/images/a/undo",
    ],
}


def test_each_costly_request_counts_as_one_kind() -> None:
    for name, asked in PATHS.items():
        for each in asked:
            assert "".join(route.name for route in rates.all_routes() if route.request.fullmatch(each)) == name


def few(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site with limits of two requests."""
    real = rates.all_routes
    limited = [each._replace(limit=RateLimit(0.01, 2)) for each in real()]
    monkeypatch.setattr(rates, "all_routes", lambda: limited)
    site.app = Site(site.settings.data_dir, users=False).app
    return site


def test_a_user_is_limited_wherever_they_come_from_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = few(Site(tmp_path), monkeypatch)
    ann, bob = ({"Authorization": f"Bearer {site.space.accounts.new_token(who, 'a')}"} for who in ("ann", "bob"))
    path = "/api/v1/images/none/automask"
    assert [site.client().post(path, json={}, headers=ann).status_code for _ in range(2)] == [404, 404]
    refused = site.client("10.0.0.9").post(path, json={}, headers=ann)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    seconds = refused.headers["Retry-After"]
    assert refused.json()["detail"] == f"Too many runs in a short time: try again in {seconds} s."
    assert 0 < int(seconds) <= 100
    assert site.client().post(path, json={}, headers=bob).status_code == 404
    assert site.client().get("/api/v1/status", headers=ann).status_code == 200


def test_logins_are_limited_by_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = few(Site(tmp_path), monkeypatch)

    def log_in(client: TestClient) -> int:
        return client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD}).status_code

    assert [log_in(site.client("10.0.0.9")) for _ in range(3)] == [200, 200, 429]
    assert log_in(site.client("10.0.0.8")) == 200


def test_this_machine_has_no_limits_where_there_is_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = few(Site(tmp_path / "a", users=False), monkeypatch).client()
    exports = "/api/v1/projects/9/export/coco"
    assert [alone.get(exports).status_code for _ in range(4)] == [404] * 4
    exposed = Site(tmp_path / "b", users=False, insecure_no_login=True)
    assert [exposed.client("10.0.0.9").get(exports).status_code for _ in range(3)] == [404, 404, 429]
    assert exposed.client("10.0.0.8").get(exports).status_code == 404


def test_the_description_of_the_routes_knows_the_answer(tmp_path: Path) -> None:
    described = Site(tmp_path).app.openapi()["paths"]["/api/v1/projects/{project_id}/images"]["post"]["responses"]
    assert "429" in described
