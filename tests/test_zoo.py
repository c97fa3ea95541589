"""Downloading checkpoints, against a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from annotator.errors import ModelUnavailable, NotFound
from annotator.sam import zoo
from annotator.sam.zoo import ModelSpec
from tests.hub import BREAK, CONTENT, Hub

pytest_plugins = ["tests.hub"]


@pytest.fixture
def spec() -> ModelSpec:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return ModelSpec("test", "Test", "x.yaml", "test.pt", "facebook/test", digest, len(CONTENT))


def test_a_download_reports_progress_and_ends_as_the_checked_file(
    hub: type[Hub], spec: ModelSpec, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    path = zoo.fetch(spec, tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["test.lock", "test.pt"]


def test_of_several_that_want_a_model_at_once_one_downloads_it(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: zoo.fetch(spec, tmp_path), range(3)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert hub.ranges == [None]


def test_a_mirror_is_asked_for_the_file_and_nothing_else(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    zoo.fetch(spec, tmp_path)
    assert hub.paths == {"/facebook/test/resolve/main/test.pt"}


def test_a_broken_connection_is_taken_up_again_where_it_broke(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    hub.break_after = BREAK
    seen: list[int] = []
    assert zoo.fetch(spec, tmp_path, lambda done, _: seen.append(done)).read_bytes() == CONTENT
    first, second = hub.ranges
    assert first is None
    assert second is not None and 0 < int(second.removeprefix("bytes=").rstrip("-")) <= BREAK
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_a_download_that_failed_goes_on_where_it_was_the_next_time(
    hub: type[Hub], spec: ModelSpec, tmp_path: Path
) -> None:
    hub.break_after, hub.out_of_order_after_break = BREAK, True
    with pytest.raises(ModelUnavailable, match="could not be downloaded"):
        zoo.fetch(spec, tmp_path)
    kept = (tmp_path / "test.part").stat().st_size
    assert 0 < kept <= BREAK
    hub.out_of_order = False
    seen: list[int] = []
    assert zoo.fetch(spec, tmp_path, lambda done, _: seen.append(done)).read_bytes() == CONTENT
    assert hub.ranges == [None, f"bytes={kept}-"]
    assert kept < seen[0]


def test_a_download_with_a_wrong_checksum_is_refused_and_forgotten(
    hub: type[Hub], spec: ModelSpec, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="checksum"):
        zoo.fetch(replace(spec, sha256="0" * 64), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["test.lock"]


def test_whether_a_model_can_be_fetched_is_asked_without_fetching_it(
    hub: type[Hub], spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert zoo.can_be_fetched(spec) and hub.ranges == []
    hub.out_of_order = True
    assert not zoo.can_be_fetched(spec)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert not zoo.can_be_fetched(spec)


def test_an_overlong_partial_file_is_started_over(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "test.part").write_bytes(b"x" * (len(CONTENT) + 5))
    assert zoo.fetch(spec, tmp_path).read_bytes() == CONTENT


def test_a_complete_partial_file_needs_no_connection(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "test.part").write_bytes(CONTENT)
    assert zoo.fetch(spec, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://hub.invalid", "nonsense"])
def test_an_unreachable_hub_is_one_sentence_after_one_try(
    endpoint: str, spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    with pytest.raises(ModelUnavailable, match="could not be downloaded") as caught:
        zoo.fetch(spec, tmp_path)
    assert "\n" not in str(caught.value)
    assert not naps


def test_a_hub_that_never_answers_is_one_sentence(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(zoo, "_TIMEOUT_S", 0.1)
        with pytest.raises(ModelUnavailable, match="could not be downloaded"):
            zoo.fetch(spec, tmp_path)


def test_a_file_the_hub_does_not_have_is_one_sentence(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    hub.out_of_order = True
    with pytest.raises(ModelUnavailable, match="could not be downloaded") as caught:
        zoo.fetch(spec, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_sentence(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelUnavailable, match="cannot be stored"):
        zoo.fetch(spec, tmp_path / "file" / "models")


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelUnavailable, match=r"broken\.pt"):
        zoo.build(zoo.MODELS["nano"], path)


def test_a_damaged_download_can_be_fetched_again(hub: type[Hub], spec: ModelSpec, tmp_path: Path) -> None:
    spec = replace(zoo.MODELS["tiny"], sha256=spec.sha256, size_bytes=spec.size_bytes)
    path = zoo.fetch(spec, tmp_path)
    with pytest.raises(ModelUnavailable, match=f"{path} is not .* delete it to have it fetched again"):
        zoo.build(spec, path)


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="nano"):
        zoo.spec_of("huge")


def test_auto_takes_tiny_on_a_cpu_only_when_its_weights_are_here(tmp_path: Path) -> None:
    assert zoo.default_model("cpu", tmp_path)[0] == "nano"
    (tmp_path / "sam2.1_hiera_tiny.pt").touch()
    assert zoo.default_model("cpu", tmp_path)[0] == "tiny"
