"""The isolation matrix: every route, as the OpenAPI document and Gradio name them, for everybody who may ask."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert
from starlette.routing import Mount

from annotator.errors import Conflict
from annotator.serving.segmenter import JobStatus
from annotator.settings import Settings
from annotator.storage import image_rows, label_rows
from annotator.storage.store import Store
from annotator.storage.tables import memberships, projects
from annotator.types import LOCAL_USER, Account, ImageRecord, Label, Project
from annotator.web.server import create_app
from annotator.workspace.workspace import Workspace
from tests.conftest import SAMPLES
from tests.fake_segmenter import FakeSegmenter

WHO = ("anonymous", "stranger", "annotator", "reviewer", "owner", "admin")
ROUTES: dict[str, str] = {
    "everybody": "POST /session",
    "user": """
        GET /status, GET /projects, POST /projects, GET /folders, GET /samples, GET /samples/{name}/thumbnail,
        GET /formats
        """,
    "annotator": """
        GET /projects/{project_id}/labels, GET /labels/{label_id}/usage, GET /projects/{project_id}/images,
        GET /images/{image_id}, GET /images/{image_id}/pixels, GET /images/{image_id}/thumbnail,
        POST /images/{image_id}/open, GET /images/{image_id}/document, GET /images/{image_id}/history,
        POST /images/{image_id}/prompt, POST /images/{image_id}/prompts, POST /images/{image_id}/annotations,
        POST /images/{image_id}/annotations/many, PATCH /images/{image_id}/annotations/{annotation_id},
        POST /images/{image_id}/annotations/delete, POST /images/{image_id}/annotations/relabel,
        POST /images/{image_id}/annotations/merge, POST /images/{image_id}/annotations/split,
        POST /images/{image_id}/annotations/clean, POST /images/{image_id}/undo, POST /images/{image_id}/redo,
        POST /images/{image_id}/automask, GET /jobs/{job_id}, DELETE /jobs/{job_id}, POST /jobs/{job_id}/resume,
        POST /images/{image_id}/similar, POST /images/{image_id}/label-suggestion,
        POST /projects/{project_id}/exports/{format_name}, GET /exports/{export_id}, GET /exports/{export_id}/file,
        DELETE /exports/{export_id},
        GET /projects/{project_id}/export/{format_name}, GET /projects/{project_id}/export/{format_name}/losses,
        POST /projects/{project_id}/boxes, GET /projects/{project_id}/members, PATCH /images/{image_id},
        POST /projects/{project_id}/next-image, GET /projects/{project_id}/events,
        GET /projects/{project_id}/summary
        """,
    "reviewer": "PUT /images/{image_id}/review",
    "owner": """
        PATCH /projects/{project_id}, DELETE /projects/{project_id}, POST /projects/{project_id}/restore,
        POST /projects/{project_id}/labels, PATCH /labels/{label_id}, DELETE /labels/{label_id},
        POST /labels/{label_id}/merge, POST /projects/{project_id}/labels/{label_id}/split,
        POST /projects/{project_id}/images, POST /projects/{project_id}/folder-images,
        POST /projects/{project_id}/samples, DELETE /images/{image_id}, POST /images/{image_id}/restore,
        DELETE /projects/{project_id}/bin, POST /projects/{project_id}/import,
        POST /projects/{project_id}/import/{format_name}, PUT /projects/{project_id}/members/{name},
        DELETE /projects/{project_id}/members/{name}
        """,
    "admin": "PUT /model",
}
"""Who may use a route at least. A new route has to be named here."""

NEEDED = {route.strip(): who for who, routes in ROUTES.items() for route in routes.split(",")}
MASK = {"x": 1, "y": 1, "w": 2, "h": 1, "runs": [0, 2]}
BODIES: dict[str, dict[str, Any]] = {
    "POST /images/{image_id}/prompt": {"points": [[9, 9, 1]]},
    "POST /images/{image_id}/prompts": {"objects": [{"points": [[9, 9, 1]]}]},
    "POST /images/{image_id}/label-suggestion": {"mask": MASK},
    "PATCH /images/{image_id}": {"status": "done"},
    "PUT /images/{image_id}/review": {"verdict": "approved"},
    "POST /projects/{project_id}/next-image": {"client": "a browser tab"},
    "PATCH /projects/{project_id}": {"name": "cats"},
    "POST /projects": {"name": "cats"},
    "POST /projects/{project_id}/labels": {"name": "cat"},
    "PUT /projects/{project_id}/members/{name}": {"role": "annotator"},
    "PUT /model": {"name": "fake"},
}
"""Elsewhere an empty body does: the right is looked at before the body."""


def headers(who: str) -> dict[str, str]:
    return {} if who == "anonymous" else {"Authorization": f"Bearer {who}"}


class World:
    """A server with everybody in it, and projects of the owner as they are needed."""

    def __init__(self, settings: Settings) -> None:
        self.segmenter = FakeSegmenter()
        self.store = Store(settings.store_url)
        for who in WHO[1:]:
            self.store.save_user(Account(who, who == "admin", None))
            self.store.save_token(who, "test", hashlib.sha256(who.encode()).hexdigest())
        self.workspace = Workspace(settings, self.store, self.segmenter)
        self.app = create_app(self.workspace, settings)
        self.app.state.streams.close()  # streams of events end at once
        self.first = self.store.create_project("first", "owner")
        self.record, _ = self.workspace.images.add(
            self.first, "cat.jpg", (SAMPLES / "skimage_chelsea.jpg").read_bytes()
        )
        self._made = 0

    def shared_project(self) -> tuple[Project, ImageRecord, Label]:
        """A project with one image and one label, shared with the annotator and the reviewer."""
        self._made += 1
        with self.store._writing() as connection:  # one transaction: there are hundreds of projects
            row = {"name": "birds", "owner": "owner"}
            project_id = connection.execute(insert(projects).values(row).returning(projects.c.id)).scalar_one()
            image = replace(self.record, id=f"image{self._made}", project_id=project_id)
            image_rows.add(connection, image)
            label = label_rows.add(connection, project_id, "bird")
            members = [{"project_id": project_id, "user_name": who, "role": who} for who in ("annotator", "reviewer")]
            connection.execute(insert(memberships), members)
        self.segmenter.runs[f"{image.id}-1"] = JobStatus("done", 1, 1, proposals=[])
        return Project(project_id, "birds", "owner"), image, label

    def path(self, route: str) -> str:
        """The path of the route with the ids of a new project."""
        project, image, label = self.shared_project()
        if route == "POST /projects/{project_id}/restore":
            self.store.remove_project(project.id)
        if route == "POST /images/{image_id}/restore":
            self.store.delete_image(image.id)
        if route.endswith("/split") and "label_id" in route:
            self.store.merge_labels(label.id, self.store.add_label(project.id, "other").id)
        export = ""
        if "export_id" in route:
            export = self.workspace.exports.start(project, "coco", f"user {self._made}").id
        known = {
            "export_id": export,
            "project_id": project.id,
            "image_id": image.id,
            "label_id": label.id,
            "job_id": f"{image.id}-1",
            "format_name": "coco",
            "annotation_id": "0" * 32,
            "name": "reviewer" if "members" in route else "skimage_chelsea",
        }
        return re.sub(r"\{(\w+)\}", lambda found: str(known[found[1]]), route.split()[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    own = tmp_path_factory.mktemp("folders")
    for user in ("stranger", "reviewer"):
        (own / user).mkdir()
        shutil.copy(SAMPLES / "skimage_chelsea.jpg", own / user / f"{user}.jpg")
    (own / "annotator").symlink_to(own / "stranger")
    folders = (SAMPLES, own / "{user}")
    return World(Settings(data_dir=tmp_path_factory.mktemp("data"), allowed_hosts=("test",), image_folders=folders))


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[TestClient]:
    with TestClient(world.app, base_url="http://test", follow_redirects=False) as running:
        yield running


def operations(world: World) -> dict[str, dict[str, Any]]:
    """What the OpenAPI document says of each route."""
    paths = world.app.openapi()["paths"]
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_the_matrix_names_every_route(world: World) -> None:
    assert set(operations(world)) == set(NEEDED)


def expected(needed: str, who: str) -> str:
    if needed == "everybody":
        return "allowed"
    if who == "anonymous":
        return "log in"
    if needed == "user" or who == "admin":
        return "allowed"
    if needed == "admin":
        return "forbidden"
    if who == "stranger":
        return "hidden"
    return "allowed" if WHO.index(who) >= WHO.index(needed) else "forbidden"


@pytest.mark.parametrize("route", NEEDED)
def test_everybody_may_do_what_their_role_allows_and_no_more(world: World, client: TestClient, route: str) -> None:
    method = route.split()[0]
    content = operations(world)[route].get("requestBody", {}).get("content", {})
    query = {"path": str(SAMPLES)} if route == "GET /folders" else {}
    path, found = world.path(route), {}
    for who in WHO:
        # A file without JSON or images in it: whoever may send it is told so.
        body: dict[str, Any] = {"json": BODIES.get(route, {})} if "application/json" in content else {}
        if "multipart/form-data" in content:
            field = "files" if route.endswith("/images") else "file"
            body = {"files": {field: ("a.txt", b"nothing")}}
        reply = client.request(method, f"/api/v1{path}", headers=headers(who), params=query, **body)
        assert reply.status_code < 500, reply.text
        found[who] = {401: "log in", 403: "forbidden", 404: "hidden"}.get(reply.status_code, "allowed")
        if found[who] == "hidden":
            assert re.match("There is no such (project|image|label)", reply.json()["detail"])
        if method == "DELETE" and found[who] == "allowed":
            assert reply.status_code in (200, 204), reply.text
        if method != "GET" and found[who] == "allowed":
            path = world.path(route)  # what was allowed may have changed the project; what was refused may not
    assert found == {who: expected(NEEDED[route], who) for who in WHO}


@pytest.mark.parametrize(
    "path", ["/", "/config", "/page/main.js", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json"]
)
def test_the_page_and_static_files_need_a_login(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers=headers("stranger")).status_code == 200


def test_nothing_of_gradio_answers_somebody_who_is_not_logged_in(world: World, client: TestClient) -> None:
    (gradio,) = (route.app for route in world.app.routes if isinstance(route, Mount) and route.path == "")
    paths = gradio.openapi()["paths"]  # type: ignore[attr-defined]
    assert len(paths) > 50
    for path, methods in paths.items():
        for method in methods:
            if not path.startswith("/login"):
                reply = client.request(method, re.sub(r"\{\w+\}", "x", path))
                assert reply.status_code in (401, 404), (method, path)


def test_ids_in_bodies_are_looked_at_as_those_in_paths(world: World, client: TestClient) -> None:
    _, foreign, _ = world.shared_project()
    project = world.store.create_project("mine", "stranger")
    label = world.store.add_label(project.id, "bird")
    image = ImageRecord("mine", project.id, "a.jpg", world.record.content_key, world.record.pixel_key, 451, 300)
    world.store.add_image(image)
    _, _, other = world.shared_project()
    me = headers("stranger")
    similar = {"annotation_ids": ["a"], "examples_in": foreign.id}
    assert (
        client.post("/api/v1/images/mine/similar", json=similar, headers=me).json()["detail"]
        == "There is no such image."
    )
    reply = client.post(f"/api/v1/labels/{label.id}/merge", json={"into": other.id}, headers=me)
    assert (reply.status_code, reply.json()["detail"]) == (404, "There is no such label.")
    new = {"label_id": other.id, "mask": MASK}
    assert client.post("/api/v1/images/mine/annotations", json=new, headers=me).status_code == 404
    before = list(world.segmenter.encoded)
    assert client.post("/api/v1/images/mine/open", json={"upcoming": [foreign.id]}, headers=me).status_code == 200
    assert len(world.segmenter.encoded) == len(before) + 1
    export = f"/api/v1/projects/{project.id}/export/coco"
    assert client.get(export, params={"image_id": foreign.id}, headers=me).status_code == 404


def test_a_folder_of_a_user_is_for_nobody_else(client: TestClient) -> None:
    def folders(who: str) -> list[str]:
        found: list[str] = client.get("/api/v1/status", headers=headers(who)).json()["image_folders"]
        return found

    def read(who: str, path: Path) -> int:
        project = client.post("/api/v1/projects", json={"name": f"{who}'s photos"}, headers=headers(who)).json()["id"]
        url = f"/api/v1/projects/{project}/folder-images"
        return client.post(url, json={"path": str(path)}, headers=headers(who)).status_code

    shared, mine = map(Path, folders("stranger"))
    assert shared == SAMPLES and mine.name == "stranger"
    assert folders("admin") == [str(SAMPLES)] == folders("annotator"), "there is none, or a link in its place"
    for who, allowed in {"stranger": True, "reviewer": False, "annotator": False, "admin": False}.items():
        reply = client.get("/api/v1/folders", params={"path": str(mine)}, headers=headers(who))
        assert (reply.status_code == 200) == allowed == (read(who, mine / "stranger.jpg") == 200), who
    theirs = mine.parent / "annotator"
    reply = client.get("/api/v1/folders", params={"path": str(theirs)}, headers=headers("annotator"))
    assert reply.status_code == 404, "a link in its place is not followed"


def call(client: TestClient, who: str, endpoint: str, *values: Any) -> tuple[int, str]:
    """What an endpoint of Gradio answers: the status, and the text of the event if there is one."""
    address = f"/gradio_api/call/{endpoint}"
    begun = client.post(address, json={"data": values}, headers=headers(who))
    if begun.status_code != 200:
        return begun.status_code, ""
    return 200, client.get(f"{address}/{begun.json()['event_id']}", headers=headers(who)).text


def test_the_endpoints_of_gradio_know_the_roles(world: World, client: TestClient) -> None:
    project, image, _ = world.shared_project()
    calls: list[tuple[Any, ...]] = [("segment", image.id, [[9, 9, 1]], None), ("export", project.id, "coco")]
    for endpoint, *values in calls:
        assert call(client, "anonymous", endpoint, *values) == (401, "")
        assert re.search("There is no such (image|project)", call(client, "stranger", endpoint, *values)[1])
        for who in ("annotator", "owner", "admin"):
            assert "event: complete" in call(client, who, endpoint, *values)[1]


def test_the_calls_of_a_user_are_for_nobody_else(world: World, client: TestClient) -> None:
    _, image, _ = world.shared_project()
    functions = client.get("/config", headers=headers("owner")).json()["dependencies"]
    function = next(each["id"] for each in functions if each["api_name"] == "segment")
    call = {"data": [image.id, [[9, 9, 1]], None], "fn_index": function, "session_hash": "chosen"}
    begun = client.post("/gradio_api/queue/join", json=call, headers=headers("owner")).json()["event_id"]
    stream = {"session_hash": "chosen"}
    for who in ("stranger", "annotator", "admin"):
        assert client.get("/gradio_api/queue/data", params=stream, headers=headers(who)).status_code == 404
        assert client.get(f"/gradio_api/call/segment/{begun}", headers=headers(who)).status_code == 404
        assert client.get(f"/gradio_api/call/v2/segment/{begun}/", headers=headers(who)).status_code == 404
        assert client.post("/gradio_api/queue/join", json=call, headers=headers(who)).status_code == 400
        cancelled = {**stream, "fn_index": function, "event_id": begun}
        assert client.post("/gradio_api/cancel", json=cancelled, headers=headers(who)).status_code == 404
    assert client.get("/gradio_api/queue/data", headers=headers("owner")).status_code == 422
    told = client.get("/gradio_api/queue/data", params=stream, headers=headers("owner"))
    assert told.status_code == 200 and "process_completed" in told.text
    alone = client.post("/gradio_api/call/segment", json={"data": call["data"]}, headers=headers("owner")).json()
    address = f"/gradio_api/call/segment/{alone['event_id']}"
    assert client.get(address, headers=headers("stranger")).status_code == 404
    assert "event: complete" in client.get(address, headers=headers("owner")).text


def test_lists_hold_only_what_is_shared(world: World, client: TestClient) -> None:
    project, _, _ = world.shared_project()

    def listed(who: str) -> set[int]:
        return {each["id"] for each in client.get("/api/v1/projects", headers=headers(who)).json()}

    assert project.id in listed("owner") & listed("annotator") & listed("reviewer") & listed("admin")
    assert world.first.id in listed("admin") and world.first.id not in listed("annotator")
    assert not listed("stranger") & listed("owner")
    for who, right in (("annotator", "annotate"), ("reviewer", "review"), ("owner", "own"), ("admin", "own")):
        found = client.get("/api/v1/projects", headers=headers(who)).json()
        assert {each["right"] for each in found if each["id"] == project.id} == {right}


def test_the_first_project_to_be_shown_is_the_users_own_if_there_is_one(world: World) -> None:
    project, _, _ = world.shared_project()
    world.store.save_user(Account("newcomer"))
    world.store.save_member(project.id, "newcomer", "annotator")
    assert world.workspace.home("newcomer") == project
    mine = world.store.create_project("mine", "newcomer")
    assert world.workspace.home("newcomer") == mine
    with pytest.raises(Conflict):  # as for a server that was started before there were users
        world.workspace.home(LOCAL_USER)


def test_the_history_names_the_author(world: World, client: TestClient) -> None:
    _, image, label = world.shared_project()
    new = {"label_id": label.id, "mask": MASK}
    for who in ("annotator", "reviewer"):
        client.post(f"/api/v1/images/{image.id}/annotations", json=new, headers=headers(who))
    reply = client.post(f"/api/v1/images/{image.id}/undo", headers=headers("owner")).json()
    assert (reply["history"]["undo_author"], reply["history"]["redo_author"]) == ("annotator", "reviewer")
