"""Logging in: cookies, tokens, a proxy's header, and who needs none."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlalchemy import event

from annotator.cli.main import main
from annotator.errors import InvalidSetting
from annotator.settings import Settings
from annotator.storage.store import Store
from annotator.types import ImageRecord
from annotator.web.authentication import needs_login
from annotator.web.server import create_app
from annotator.web.sessions import COOKIE
from annotator.workspace.accounts import Accounts
from annotator.workspace.workspace import Workspace
from tests.fake_segmenter import FakeSegmenter

PASSWORD = "correct horse"
HTML = {"Accept": "text/html,*/*"}


class Site:
    """A server on a data folder, with the users ann and bob unless it has none."""

    def __init__(self, folder: Path, users: bool = True, **options: Any) -> None:
        self.settings = Settings(data_dir=folder, allowed_hosts=("test",), **options)
        self.space = Workspace(self.settings, Store(self.settings.store_url), FakeSegmenter())
        self.space.accounts = Accounts(self.space.store, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        if users:
            self.space.accounts.add("ann", PASSWORD)
            self.space.accounts.add("bob", PASSWORD)
        self.app = create_app(self.space, self.settings, page=False)

    def client(self, address: str = "127.0.0.1", scheme: str = "http") -> TestClient:
        """A browser at this address."""
        return TestClient(self.app, f"{scheme}://test", follow_redirects=False, client=(address, 50000))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def browser(site: Site) -> TestClient:
    return site.client()


def test_a_browser_is_led_to_the_login_and_back(browser: TestClient) -> None:
    led = browser.get("/", headers=HTML)
    assert (led.status_code, led.headers["Location"]) == (303, "login")
    assert browser.get("/docs/assets/x", headers=HTML).headers["Location"] == "../../login"
    form = browser.get("/login")
    assert '<form method="post">' in form.text and "script" not in form.text
    assert form.headers["Content-Security-Policy"].startswith("default-src 'none'")
    done = browser.post("/login", data={"name": "Ann", "password": PASSWORD})
    assert (done.status_code, done.headers["Location"]) == (303, "./")
    assert browser.get("/api/v1/status").json()["user"] == "ann"
    out = browser.post("/logout")
    assert (out.status_code, out.headers["Location"]) == (303, "login")
    assert browser.get("/api/v1/status").status_code == 401


def test_a_copied_cookie_ends_with_the_login_and_no_other_login_does(site: Site, browser: TestClient) -> None:
    browser.post("/login", data={"name": "ann", "password": PASSWORD})
    elsewhere, thief = site.client(), site.client()
    elsewhere.post("/login", data={"name": "ann", "password": PASSWORD})
    thief.cookies.set(COOKIE, browser.cookies[COOKIE])
    assert thief.get("/api/v1/status").json()["user"] == "ann"
    browser.post("/logout")
    assert thief.get("/api/v1/status").status_code == 401
    assert thief.post("/logout").status_code == 401
    assert elsewhere.get("/api/v1/status").json()["user"] == "ann"


def test_what_watches_the_server_needs_no_login(browser: TestClient) -> None:
    assert [browser.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]


def test_scripts_get_a_problem_document(browser: TestClient) -> None:
    reply = browser.get("/api/v1/projects")
    assert (reply.status_code, reply.json()["detail"]) == (401, "Log in first.")
    assert reply.headers["content-type"] == "application/problem+json"
    wrong = browser.post("/api/v1/session", json={"name": "ann", "password": "wrong horse"})
    assert (wrong.status_code, wrong.json()["detail"]) == (401, "The name or the password is wrong.")
    done = browser.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    assert done.json() == {"name": "ann", "is_admin": True}
    assert browser.get("/api/v1/projects").status_code == 200


@pytest.mark.parametrize(
    ("scheme", "options", "secure"),
    [("http", {}, False), ("https", {}, True), ("http", {"public_url": "https://test/labels"}, True)],
)
def test_the_cookie_is_for_the_server_alone(tmp_path: Path, scheme: str, options: Any, secure: bool) -> None:
    reply = Site(tmp_path, **options).client(scheme=scheme).post("/login", data={"name": "ann", "password": PASSWORD})
    cookie = reply.headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "max-age=1209600" in cookie
    assert ("secure" in cookie) == secure


def test_a_wrong_password_shows_the_form_again_with_the_name_as_text(browser: TestClient) -> None:
    reply = browser.post("/login", data={"name": '"><script>', "password": "wrong horse"})
    assert reply.status_code == 401 and "The name or the password is wrong." in reply.text
    assert 'value="&quot;&gt;&lt;script&gt;"' in reply.text
    assert browser.post("/login").status_code == 401
    for _ in range(5):
        browser.post("/login", data={"name": "ann", "password": "wrong horse"})
    slowed = browser.post("/login", data={"name": "ann", "password": PASSWORD})
    assert slowed.status_code == 429 and slowed.headers["Retry-After"] == "1" and COOKIE not in slowed.cookies


def test_other_sites_cannot_log_anybody_in_or_out_and_large_bodies_are_refused(browser: TestClient) -> None:
    body = {"name": "ann", "password": PASSWORD}
    assert browser.post("/login", data=body, headers={"Origin": "https://evil.test"}).status_code == 403
    assert browser.post("/logout", headers={"Origin": "https://evil.test"}).status_code == 403
    assert browser.post("/login", data={"name": "ann", "password": "x" * 100_000}).status_code == 413


def test_a_login_outlives_the_server_and_not_the_password(site: Site, tmp_path: Path) -> None:
    browser = site.client()
    browser.post("/login", data={"name": "bob", "password": PASSWORD})
    cookie = browser.cookies[COOKIE]
    again = Site(tmp_path, users=False)
    other = again.client()
    other.cookies.set(COOKIE, cookie)
    assert other.get("/api/v1/status").json()["user"] == "bob"
    again.space.accounts.add("bob", "another horse")
    assert other.get("/api/v1/status").status_code == 401
    again.space.store.remove_user("bob")
    assert other.get("/api/v1/status").status_code == 401
    for bad in (cookie[:-1], cookie.replace(".", "", 1), "", "a.b.c"):
        other.cookies.set(COOKIE, bad)
        assert other.get("/api/v1/status").status_code == 401
    assert stat.S_IMODE((tmp_path / "session.key").stat().st_mode) == 0o600


def test_a_token_that_is_unknown_is_not_made_good_by_a_cookie(site: Site, browser: TestClient) -> None:
    browser.post("/login", data={"name": "ann", "password": PASSWORD})
    token = site.space.accounts.new_token("bob", "laptop")
    assert browser.get("/api/v1/status", headers={"Authorization": f"Bearer {token}"}).json()["user"] == "bob"
    reply = browser.get("/api/v1/status", headers={"Authorization": "Bearer x"})
    assert (reply.status_code, reply.json()["detail"]) == (401, "The token is unknown.")


def test_a_name_counts_from_a_trusted_proxy_only(tmp_path: Path) -> None:
    site = Site(tmp_path, users=False, proxy_user_header="X-User", trusted_proxies=("10.0.0.0/8",))
    header = {"X-User": "Eve@example.org"}
    assert site.client("10.1.2.3").get("/api/v1/status", headers=header).json()["user"] == "eve@example.org"
    assert site.client("11.1.2.3").get("/api/v1/status", headers=header).status_code == 401
    assert site.client("10.1.2.3").get("/api/v1/status").status_code == 401
    assert site.client("10.1.2.3").get("/api/v1/status", headers={"X-User": "local"}).status_code == 401
    assert not any(each.is_admin for each in site.space.store.users())
    assert site.client("10.1.2.3").put("/api/v1/model", json={"name": "fake"}, headers=header).status_code == 403


def test_without_users_only_this_machine_is_answered(tmp_path: Path) -> None:
    site = Site(tmp_path, users=False)
    for address in ("127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"):
        assert site.client(address).get("/api/v1/status").json()["user"] is None
    assert site.client().put("/api/v1/model", json={"name": "fake"}).status_code == 202
    assert site.client("192.168.1.9").get("/healthz").status_code == 200
    for path in ("/api/v1/status", "/page/main.js", "/docs", "/login"):
        reply = site.client("192.168.1.9").get(path)
        assert reply.status_code == 403 and "annotator users add NAME" in reply.json()["detail"]
    assert not (tmp_path / "session.key").exists()
    insecure = Site(tmp_path, users=False, insecure_no_login=True)
    assert insecure.client("192.168.1.9").get("/api/v1/status").status_code == 200


def test_a_click_without_users_reads_the_database_once(tmp_path: Path) -> None:
    site = Site(tmp_path, users=False)
    store = site.space.store
    store.add_image(ImageRecord("a", store.create_project("birds", "local").id, "a.jpg", "sha", "pixels", 40, 30))
    client, reads = site.client(), []

    def note(*told: Any) -> None:
        if told[2].startswith("SELECT"):
            reads.append(told[2])

    event.listen(store._engine, "before_cursor_execute", note)
    assert client.post("/api/v1/images/a/prompt", json={"points": [[9, 9, 1]]}).status_code == 200
    assert len(reads) == 1


@pytest.mark.parametrize(
    "options",
    [{"host": "0.0.0.0"}, {"host": "192.168.1.9"}, {"host": "::"}, {"public_url": "https://labels.example.org/here"}],
)
def test_a_network_is_not_served_without_users(options: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"^Everybody who reaches \S+ could change everything: add a user with"):
        needs_login(Settings(**options), has_users=False)
    assert needs_login(Settings(**options), has_users=True)
    assert needs_login(Settings(proxy_user_header="X-User", **options), has_users=False)
    assert not needs_login(Settings(insecure_no_login=True, **options), has_users=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_is_served_without_users(host: str) -> None:
    assert not needs_login(Settings(host=host, public_url="http://localhost:8888/proxy"), has_users=False)


def test_the_command_refuses_a_network_without_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("annotator: Everybody who reaches 0.0.0.0") and "--insecure-no-login" in told
    assert told.count("\n") == 1
