"""Settings: every field is a variable and an option of `serve`, and a wrong value is one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import Namespace
from ipaddress import ip_network
from pathlib import Path

import pytest

from annotator.cli.main import main
from annotator.cli.options import given_settings
from annotator.errors import InvalidSetting
from annotator.settings import MIB, Settings

ROOT = Path(__file__).resolve().parent.parent
VALUES = {
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("8080", 8080),
    "data_dir": ("~/data", Path.home() / "data"),
    "models_dir": ("~/models", Path.home() / "models"),
    "database_url": ("postgresql+psycopg://a@b/c", "postgresql+psycopg://a@b/c"),
    "image_store": ("s3://photos/labels", "s3://photos/labels"),
    "model": ("tiny", "tiny"),
    "device": ("cuda:1", "cuda:1"),
    "dtype": ("float16", "float16"),
    "backend": ("ray", "ray"),
    "replicas": ("2", 2),
    "replica_timeout": ("2.5", 2.5),
    "compile": ("no", False),
    "max_upload_bytes": ("5MiB", 5 * MIB),
    "max_pixels": ("1000", 1000),
    "max_user_images": ("50", 50),
    "max_user_bytes": ("1GiB", 1024 * MIB),
    "embedding_device_bytes": ("0", 0),
    "embedding_host_bytes": ("1048576", MIB),
    "embedding_disk_bytes": ("2 GiB", 2048 * MIB),
    "max_queue": ("7", 7),
    "image_folders": (f"~/photos{os.pathsep}{os.pathsep}/no", (Path.home().resolve() / "photos", Path("/no"))),
    "allowed_hosts": ("a, B,", ("a", "b")),
    "metrics_from": ("10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
    "log_format": ("json", "json"),
    "public_url": ("https://a.example.org/b/", "https://a.example.org/b"),
    "insecure_no_login": ("yes", True),
    "proxy_user_header": ("X-Forwarded-User", "X-Forwarded-User"),
    "trusted_proxies": ("10.0.0.1, 10.1.0.0/16", ("10.0.0.1/32", "10.1.0.0/16")),
}
"""A text for every field, and what it means."""


def test_the_values_name_every_field() -> None:
    assert set(VALUES) == set(Settings.model_fields)


@pytest.mark.parametrize("field", VALUES)
def test_every_field_is_a_variable(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, value = VALUES[field]
    monkeypatch.setenv(f"ANNOTATOR_{field.upper()}", text)
    assert getattr(Settings(), field) == value


@pytest.mark.parametrize("field", VALUES)
def test_every_field_is_an_option_of_serve(field: str, served: list[Settings]) -> None:
    text, value = VALUES[field]
    flag = f"--{field.replace('_', '-')}"
    assert main(["serve", *([f"--no-{field}"] if value is False else [flag] if value is True else [flag, text])]) == 0
    assert getattr(served[0], field) == value


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings `annotator serve` was run with. Nothing is served."""
    from annotator.cli import serve

    settings: list[Settings] = []
    monkeypatch.setattr(serve, "run", lambda options, given: settings.append(given))
    return settings


def test_an_option_comes_before_a_variable(served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATOR_MODEL", "large")
    monkeypatch.setenv("ANNOTATOR_DTYPE", "float16")
    main(["serve", "--model", "tiny"])
    assert (served[0].model, served[0].dtype) == ("tiny", "float16")


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", "on"])
def test_yes_can_be_said_in_many_ways(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATOR_COMPILE", text)
    assert Settings().compile is True


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.setenv(f"ANNOTATOR_{field.upper()}", "")
    assert Settings() == Settings.model_construct()


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("compile", "maybe", "boolean"),
        ("device", "gpu", "auto, cpu, cuda or cuda:N"),
        ("dtype", "int8", "'float32'"),
        ("port", "http", "integer"),
        ("port", "70000", "65535"),
        ("max_pixels", "12x", "integer"),
        ("max_pixels", "-5", "greater"),
        ("max_queue", "0", "greater"),
        ("backend", "cluster", "'local' or 'ray'"),
        ("replicas", "-1", "greater"),
        ("replica_timeout", "0", "greater"),
        ("max_upload_bytes", "5 apples", "apples"),
        ("max_upload_bytes", "-1", "parse"),
        ("image_folders", "photos", "absolute"),
        ("metrics_from", "everybody", "IPv4 or IPv6 network"),
        ("log_format", "xml", "'json'"),
        ("image_store", "/mnt/photos", "file:///mnt/folder"),
        ("image_store", "s3://photos/*", "s3://bucket/folder"),
    ],
)
def test_a_wrong_value_is_one_sentence_naming_the_variable_or_option(
    field: str, text: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidSetting, match=says) as caught:
        Settings.from_environment(**{field: text})
    assert str(caught.value).startswith(f"--{field.replace('_', '-')} is ")
    monkeypatch.setenv(f"ANNOTATOR_{field.upper()}", text)
    assert main(["models"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"annotator: ANNOTATOR_{field.upper()} is {text!r}: ")
    assert says in line


def test_a_wrong_variable_is_one_sentence_from_app_py_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATOR_COMPILE", "maybe")
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("annotator: ANNOTATOR_COMPILE is 'maybe'")


def test_an_argument_that_is_named_like_a_setting_is_none() -> None:
    options = Namespace(model="tiny", setting_dtype=None, setting_device="cpu")
    assert given_settings(options) == {"device": "cpu"}


def test_the_readme_names_every_variable() -> None:
    readme = (ROOT / "README.md").read_text()
    assert set(re.findall(r"ANNOTATOR_[A-Z_]+", readme)) == {
        f"ANNOTATOR_{each.upper()}" for each in Settings.model_fields
    }
