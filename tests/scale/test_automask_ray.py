"""`annotator automask --backend ray`: the file that one process writes, also after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from annotator.cli import automask
from annotator.cli.collect import MasksOf
from annotator.cli.main import main
from annotator.cli.results import FoundMask
from annotator.imaging.decode import DecodedImage
from annotator.sam.automask import AutomaskSettings
from annotator.sam.predictor import Predictor

OPTIONS = ["--model", "nano", "--device", "cpu", "--points-per-side", "4"]
ON_RAY = ["--backend", "ray", "--replicas", "2"]


@pytest.fixture
def photos(tmp_path: Path, cat: np.ndarray) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(np.roll(cat, 20 * number, axis=1)[: 200 + number]).save(folder / f"{number:02}.png")
    (folder / "03.png").write_bytes(b"\x89PNG damaged")
    return folder


@pytest.fixture
def in_one_process(photos: Path, tmp_path: Path) -> bytes:
    out, threads = tmp_path / "one.json", torch.get_num_threads()
    torch.set_num_threads(1)  # as an actor has; more would round otherwise
    assert main(["automask", str(photos), *OPTIONS, "-o", str(out)]) == 0
    torch.set_num_threads(threads)
    return out.read_bytes()


def test_ray_writes_the_same_file_as_one_process_and_names_what_it_skips(
    photos: Path, tmp_path: Path, in_one_process: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ray.json"
    assert main(["automask", str(photos), *OPTIONS, *ON_RAY, "-o", str(out)]) == 0
    assert len(json.loads(in_one_process)["images"]) == 9
    assert out.read_bytes() == in_one_process
    assert "skipped: 03.png" in capsys.readouterr().err


def test_ray_writes_the_same_shards_as_one_process(photos: Path, tmp_path: Path) -> None:
    shards, threads = ["--shard-images", "4", "-o"], torch.get_num_threads()
    torch.set_num_threads(1)
    assert main(["automask", str(photos), *OPTIONS, *shards, str(tmp_path / "one")]) == 0
    torch.set_num_threads(threads)
    assert main(["automask", str(photos), *OPTIONS, *ON_RAY, *shards, str(tmp_path / "ray")]) == 0
    one, on_ray = ({path.name: path.read_bytes() for path in (tmp_path / each).iterdir()} for each in ("one", "ray"))
    assert on_ray == one and len(one) == 3 + 1


def test_ray_goes_on_where_a_run_was_interrupted(
    photos: Path, tmp_path: Path, in_one_process: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, done = tmp_path / "ray.json", []
    whole = automask.automasks

    def interrupted(predictor: Predictor, chosen: AutomaskSettings) -> MasksOf:
        masks_of = whole(predictor, chosen)

        def until_the_third(path: Path, image: DecodedImage) -> list[FoundMask]:
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append(path)
            return masks_of(path, image)

        return until_the_third

    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(automask, "automasks", interrupted)
    assert main(["automask", str(photos), *OPTIONS, "-o", str(out)]) == 130
    monkeypatch.undo()
    torch.set_num_threads(torch_threads)
    assert len(out.with_name("ray.json.part").read_text().splitlines()) == 1 + 3
    assert main(["automask", str(photos), *OPTIONS, *ON_RAY, "-o", str(out)]) == 0
    assert out.read_bytes() == in_one_process
    assert not out.with_name("ray.json.part").exists()
