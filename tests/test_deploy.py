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
    (default,) = re.findall(r"^ARG EXTRAS=(.+)$", DOCKERFILE, re.MULTILINE)
    assert {default, "scale"} <= set(extras) and '".[${EXTRAS}]"' in DOCKERFILE
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


def containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a pod's template by their name. What each mounts is there."""
    volumes = {each["name"] for each in pod["spec"]["volumes"]}
    found = {each["name"]: each for each in pod["spec"]["containers"]}
    for each in found.values():
        assert {mount["name"] for mount in each["volumeMounts"]} <= volumes
    return found


def test_the_replicas_on_kubernetes_and_their_server_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    service, web, policy = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    file, name = application["import_path"].split(":")
    source = (ROOT / file.replace(".", "/")).with_suffix(".py").read_text()
    assert f"def {name}(" in source
    assert f'APPLICATION = "{application["name"]}"' in source
    cluster = service["spec"]["rayClusterConfig"]
    (pin,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["scale"]
    assert pin.endswith(f"=={cluster['rayVersion']}")
    head = containers(cluster["headGroupSpec"]["template"])
    (group,) = cluster["workerGroupSpecs"]
    workers = containers(group["template"])
    found = []
    for each in (head["ray-head"], workers["ray-worker"], head["web"]):
        variables = {variable["name"]: variable.get("value", "") for variable in each["env"]}
        with monkeypatch.context() as patch:
            found.append(settings_of(variables, patch))
        assert variables["RAY_AUTH_MODE"] == "disabled"
    served = found.pop()
    assert all(each.backend == "ray" and each.replicas == group["replicas"] for each in (*found, served))
    assert {(each.data_dir, each.models_dir, each.device) for each in (*found, served)} == {
        (served.data_dir, served.models_dir, "cuda")
    }
    assert understands(head["web"]["command"][-1].split("exec ")[1].split())
    assert web["metadata"]["name"] in served.allowed_hosts
    assert web["spec"]["ports"][0]["targetPort"] == served.port == policy["spec"]["ingress"][1]["ports"][0]["port"]
    labels = cluster["headGroupSpec"]["template"]["metadata"]["labels"]
    assert web["spec"]["selector"].items() <= labels.items()
    for template in (cluster["headGroupSpec"]["template"], group["template"]):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("name", "programs"), [("operating", {"annotator", "docker", "systemctl"}), ("cluster", {"annotator", "ray"})]
)
def test_the_pages_for_operators_name_commands_settings_and_files_that_are_there(
    name: str, programs: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    lines = [line for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    for line in lines:
        words = shlex.split(line)
        variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        settings_of(variables, monkeypatch)
        command = words[len(variables) :]
        if command[0] == "annotator":
            assert understands(command)
        assert all((ROOT / word).exists() for word in words if word.startswith(("deploy/", "assets/"))), line
    assert {line.split()[0] for line in lines} >= programs
    named = {name.removeprefix("ANNOTATOR_").lower() for name in re.findall(r"ANNOTATOR_[A-Z_]+[A-Z]", page)}
    assert named <= set(Settings.model_fields)
