"""How much one user may keep: a sentence with the numbers, and nothing of what is there already is touched."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from annotator.errors import QuotaExceeded
from annotator.types import Account, Project
from annotator.workspace import quotas
from tests.test_login import Site


def picture(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8), shade).save(stream, "PNG")
    return stream.getvalue()


def project_of(site: Site, user: str) -> Project:
    return site.space.store.create_project(uuid.uuid4().hex, user)


def test_a_user_may_keep_so_many_images_and_purging_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_REST", 0)
    site = Site(tmp_path, max_user_images=2)  # ann is the admin
    add, project = site.space.images.add, project_of(site, "bob")
    first, _ = add(project, "a.png", picture(1))
    add(project_of(site, "bob"), "b.png", picture(2))
    with pytest.raises(
        QuotaExceeded, match=r"^The projects of bob hold 2 images, and may hold 2: remove some and empty"
    ):
        add(project, "c.png", picture(3))
    assert add(project, "a.png", picture(1)) == (first, False), "what is there already is no new image"
    site.space.store.delete_image(first.id)
    with pytest.raises(QuotaExceeded):
        add(project, "c.png", picture(3))
    site.space.images.library.purge(project.id)
    assert add(project, "c.png", picture(3))[1]


def test_a_user_may_keep_so_many_bytes_and_a_file_in_two_projects_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.workspace.quotas._REST", 0)  # a count that took long is not used for long
    data = picture(1)
    site = Site(tmp_path, max_user_bytes=2 * len(data) + 1)
    add, project = site.space.images.add, project_of(site, "bob")
    add(project, "a.png", data)
    again = Site(tmp_path, users=False, max_user_bytes=2 * len(data) + 1).space.images.add
    again(project_of(site, "bob"), "a.png", data)
    again(project_of(site, "ann"), "a.png", data)
    with pytest.raises(QuotaExceeded, match=r"^The images of bob would take \S+ GiB, and may take \S+ GiB: "):
        again(project, "b.png", picture(200) + bytes(len(data)))
    assert again(project, "b.png", picture(2))[1]


def test_admins_and_who_needs_no_login_have_no_quota(tmp_path: Path) -> None:
    site = Site(tmp_path, max_user_images=1)
    for owner in ("ann", "local", "a guest of an app"):
        project = project_of(site, owner)
        for shade in range(3):
            assert site.space.images.add(project, f"{shade}.png", picture(shade))[1]


def test_an_upload_over_the_quota_is_told_with_the_files_that_were_taken(tmp_path: Path) -> None:
    site = Site(tmp_path, max_user_images=1)
    site.space.store.save_user(Account("cid"))
    me = {"Authorization": f"Bearer {site.space.accounts.new_token('cid', 'a')}"}
    path = f"/api/v1/projects/{project_of(site, 'cid').id}/images"
    files = [("files", (f"{shade}.png", picture(shade))) for shade in range(2)]
    reply = site.client().post(path, files=files, headers=me).json()
    assert len(reply["images"]) == 1 and "may hold 1" in reply["errors"][0]["error"]
    refused = site.client().post(path, files=files[1:], headers=me)
    assert refused.status_code == 507 and refused.headers["content-type"] == "application/problem+json"
    assert "may hold 1" in refused.json()["detail"]


def test_uploads_at_once_share_the_places_that_are_left_and_a_failed_one_gives_its_own_back(tmp_path: Path) -> None:
    images = Site(tmp_path, max_user_images=2).space.images
    places = images._quotas
    with places.place("bob", 1), ExitStack() as stack:
        with pytest.raises(OSError, match="lost"), places.place("bob", 1):
            raise OSError("lost")
        stack.enter_context(places.place("bob", 1))
        with pytest.raises(QuotaExceeded, match="hold 2 images"):
            stack.enter_context(places.place("bob", 1))


def test_many_refusals_at_once_count_once_and_nobody_else_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, max_user_images=1)
    site.space.store.save_user(Account("cid"))
    add, bob, cid = site.space.images.add, project_of(site, "bob"), project_of(site, "cid")
    add(bob, "a.png", picture(1))
    monkeypatch.setattr(quotas, "_REST", 1000)
    site.space.images._quotas._usage.clear()
    counts, go_on, original = [], threading.Event(), site.space.store.content_of

    def content_of(owner: str) -> Sequence[str]:
        counts.append(owner)
        if owner == "bob":
            go_on.wait(30)
        return original(owner)

    monkeypatch.setattr(site.space.store, "content_of", content_of)
    with ThreadPoolExecutor(8) as threads:
        refused = [threads.submit(add, bob, f"{shade}.png", picture(shade)) for shade in range(2, 10)]
        assert add(cid, "b.png", picture(1))[1], "while the images of bob are counted"
        go_on.set()
        assert all(isinstance(each.exception(), QuotaExceeded) for each in refused)
    assert counts.count("bob") <= 2
