"""Behind nginx with the file of deploy/, and TLS ended there: upload, click, keep, export."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Response

from tests.conftest import ROOT, Server, free_port

CONFIGURATION = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/certificate.pem;
  ssl_certificate_key {folder}/key.pem;
  include {folder}/server.conf;
}}
"""


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[str]:
    """The address of the page behind nginx. Its Host header towards us is that of the upstream."""
    port = free_port()
    (tmp_path / "data").mkdir()
    server = Server(tmp_path / "data", ANNOTATOR_PUBLIC_URL=f"https://127.0.0.1:{port}/labels")
    server.start()
    certificate = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem", "-subj", "/CN=localhost"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *certificate], check=True)
    path = tmp_path / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # its workers read and write in the test's folder
    path.write_text(CONFIGURATION.format(user=user, folder=tmp_path))
    ours = (ROOT / "deploy" / "nginx.conf").read_text()
    ours = ours.replace("listen 8080;", f"listen 127.0.0.1:{port} ssl;")
    (tmp_path / "server.conf").write_text(ours.replace("web:7860", f"127.0.0.1:{server.port}"))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
    nginx = subprocess.Popen([program, "-c", path, "-p", tmp_path, "-e", tmp_path / "start.log"])
    address = f"https://127.0.0.1:{port}/labels/"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{address}api/v1/status", verify=False)
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield address
    nginx.terminate()
    nginx.wait()
    server.kill()


def test_the_page_works_under_a_sub_path(proxied: str) -> None:
    from driver import COFFEE, browser_page

    with browser_page(proxied, ignore_https_errors=True) as page:
        failed: list[str] = []

        def check(reply: Response) -> None:
            if reply.status >= 400 and reply.url.startswith(proxied):  # nginx has no favicon.ico at its root
                failed.append(reply.url)

        page.page.on("response", check)
        page.reload()
        page.upload(("coffee.jpg", COFFEE.read_bytes()))
        page.click(300, 200)
        page.page.keyboard.press("Enter")
        page.until("annotations.length === 1")
        page.settled()
        exported = json.loads(page.export().read_text())
        assert len(exported["annotations"]) == 1
        assert not failed
    project = httpx.get(f"{proxied}api/v1/status", verify=False).json()["project_id"]
    with httpx.stream("GET", f"{proxied}api/v1/projects/{project}/events", verify=False, timeout=10) as stream:
        assert any(line.startswith("data: ") for line in stream.iter_lines()), "an event comes at once"
    reply = httpx.get(f"{proxied}metrics", verify=False, headers={"X-Request-ID": "of-the-client"})
    assert reply.status_code == 403
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-ID"]), "the proxy's"
