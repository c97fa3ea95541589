"""The files of deploy/ fit the program, each other, and the tools that read them, as far as these are here.

No image is built: that needs a registry. The proxy's file runs in tests/browser/test_proxy.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from annotator.cli.main import _parser
from annotator.settings import Settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
UNIT = (DEPLOY / "annotator.service").read_text()


def instructions(name: str) -> list[str]:
    """What follows this instruction of the Dockerfile, wherever it is used."""
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def image_variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in instructions("ENV") for pair in shlex.split(line))


def substituted(value: str) -> str:
    """As compose does it, with nothing in the environment: ${NAME:-default}."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def settings_of(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings in these variables; all of them are known ones."""
    ours = {name: value for name, value in variables.items() if name.startswith("ANNOTATOR_")}
    assert {name.removeprefix("ANNOTATOR_").lower() for name in ours} <= set(Settings.model_fields)
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()


def understands(command: list[str]) -> bool:
    """Whether `annotator ...` is a command of the program."""
    assert Path(command[0]).name == "annotator"
    return "run" in _parser().parse_args(command[1:])


def test_the_image_has_everything_the_installation_reads() -> None:
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    let_in = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"}
    assert let_in == copied
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {*project["tool"]["setuptools"]["package-dir"].values(), "annotator"}
    assert {*folders, project["project"]["readme"], "pyproject.toml"} <= copied


def test_the_image_is_made_as_make_does_it_and_serves() -> None:
    pin = re.search(r"torch==[\d.]+", (ROOT / "Makefile").read_text())
    assert pin and pin[0] in DOCKERFILE
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r'"\.\[(\w+)\]"', DOCKERFILE)) <= set(extras)
    (command,) = instructions("CMD")
    assert understands(yaml.safe_load(command))
    assert instructions("EXPOSE") == [str(Settings.model_fields["port"].default)]


def test_the_settings_of_the_image_and_of_compose_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    web = {name: substituted(value) for name, value in services()["web"]["environment"].items()}
    settings = settings_of({**image_variables(), **web}, monkeypatch)
    assert (settings.host, settings.log_format) == ("0.0.0.0", "json")
    assert str(settings.data_dir) in {volume.split(":")[1] for volume in services()["web"]["volumes"]}
    assert settings.models_dir.is_relative_to(settings.data_dir), "downloads outlive the container"
    database = urlsplit(settings.database_url)
    assert database.hostname in services()
    assert database.username == services()["database"]["environment"]["POSTGRES_USER"]


def test_the_proxy_of_compose_leads_to_the_server_under_its_public_path(monkeypatch: pytest.MonkeyPatch) -> None:
    web = {name: substituted(value) for name, value in services()["web"]["environment"].items()}
    settings = settings_of({**image_variables(), **web}, monkeypatch)
    proxy = (DEPLOY / "nginx.conf").read_text()
    (upstream,) = re.findall(r"proxy_pass (\S+);", proxy)
    assert urlsplit(upstream).hostname in services()
    assert urlsplit(upstream).hostname in settings.allowed_hosts
    assert urlsplit(upstream).port == settings.port
    public = urlsplit(settings.public_url)
    assert f"location {public.path}/ {{" in proxy
    (published,) = services()["proxy"]["ports"]
    (listening,) = re.findall(r"listen (\d+);", proxy)
    assert published == f"127.0.0.1:{public.port}:{listening}"


def test_compose_names_files_services_and_volumes_that_are_there() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in services().items():
        assert set(service.get("depends_on", ())) <= set(services()), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in compose["volumes"]
        for needed, when in service.get("depends_on", {}).items():
            assert when == {"condition": "service_healthy"}
            assert "healthcheck" in services()[needed] or instructions("HEALTHCHECK")
    build = services()["web"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    extra = yaml.safe_load((DEPLOY / "compose.cuda.yaml").read_text())["services"]
    assert set(extra) <= set(services())


def test_the_service_starts_the_server_with_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    assert understands(command.split())
    variables = dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT, re.MULTILINE))
    settings = settings_of(variables, monkeypatch)
    states = re.findall(r"^(State|Cache)Directory=(\w+)$", UNIT, re.MULTILINE)
    folders = {"State": "/var/lib", "Cache": "/var/cache"}
    assert {str(settings.data_dir), str(settings.models_dir)} == {f"{folders[kind]}/{name}" for kind, name in states}


def test_systemd_understands_the_service(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed (apt install systemd)")
    path = tmp_path / "annotator.service"
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_for_operators_names_commands_settings_and_files_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    lines = [line for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    for line in lines:
        words = shlex.split(line)
        variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        settings_of(variables, monkeypatch)
        command = words[len(variables) :]
        if command[0] == "annotator":
            assert understands(command)
        assert all((ROOT / word).exists() for word in words if word.startswith(("deploy/", "assets/"))), line
    assert {line.split()[0] for line in lines} >= {"annotator", "docker", "systemctl"}
    named = {name.removeprefix("ANNOTATOR_").lower() for name in re.findall(r"ANNOTATOR_[A-Z_]+[A-Z]", page)}
    assert named <= set(Settings.model_fields)
