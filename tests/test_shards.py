"""`annotator automask --shard-images`: several COCO files, each as if made alone, also after an interruption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from annotator.cli import automask
from annotator.cli.main import main
from annotator.sam.automask import AutomaskSettings, Proposal
from annotator.sam.automask import automask as propose
from annotator.sam.predictor import ImageEmbedding, Predictor
from tests.conftest import SAMPLES

CAT = SAMPLES / "skimage_chelsea.jpg"


@pytest.fixture(autouse=True)
def loaded(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled model is loaded already, and encodes each photo once in all runs of a test."""
    encode, encoded = predictor.encode, dict[bytes, ImageEmbedding]()

    def encode_once(images: Sequence[NDArray[np.uint8]]) -> list[ImageEmbedding]:
        for image in images:
            if image.tobytes() not in encoded:
                (encoded[image.tobytes()],) = encode([image])
        return [encoded[image.tobytes()] for image in images]

    monkeypatch.setattr(predictor, "encode", encode_once)
    monkeypatch.setattr(automask, "load_predictor", lambda settings: predictor)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five small photos; the third and the fourth are broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        Image.open(CAT).crop((0, 0, 90 + number, 60)).save(folder / f"{number}.png")
    for number in (2, 3):
        (folder / f"{number}.png").write_bytes(b"text")
    return folder


def test_shards_are_what_each_group_of_images_gives_alone(photos: Path) -> None:
    out, alone = photos.parent / "shards", photos.parent / "alone.json"
    command = ["automask", "--points-per-side", "4", "-o"]
    assert main([*command, str(out), str(photos), "--shard-images", "2"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["00000.json", "00002.json", "run"], "2 and 3 are broken"
    for shard, numbers in (("00000", "01"), ("00002", "4")):
        assert main([*command, str(alone), *(str(photos / f"{number}.png") for number in numbers)]) == 0
        assert (out / f"{shard}.json").read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("done", range(4))
def test_shards_go_on_after_an_interruption(photos: Path, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    for number in (2, 3):
        Image.open(CAT).crop((0, 0, 90 + number, 60)).save(photos / f"{number}.png")
    widths: list[int] = []

    def automask_or_stop(predictor: Predictor, embedding: ImageEmbedding, chosen: AutomaskSettings) -> list[Proposal]:
        if len(widths) == done:
            raise KeyboardInterrupt
        widths.append(embedding.width)
        return propose(predictor, embedding, chosen)

    out, whole = photos.parent / "shards", photos.parent / "whole"
    command = ["automask", str(photos), "--points-per-side", "4", "--shard-images", "2", "-o"]
    assert main([*command, str(whole)]) == 0
    monkeypatch.setattr("annotator.sam.automask.automask", automask_or_stop)
    assert main([*command, str(out)]) == 130
    assert {path.name for path in out.glob("*.json")} == {f"{number:05}.json" for number in range((done - 1) // 2)}
    done = 9
    assert main([*command, str(out)]) == 0
    assert widths == [90, 91, 92, 93, 94], "no image is segmented again"
    assert main([*command, str(out)]) == 0 and len(widths) == 5, "nor when all is done"
    (out / "00001.json").unlink()
    assert main([*command, str(out)]) == 0 and widths[5:] == [92, 93]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_a_folder_of_shards_is_of_one_run(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, other = photos.parent / "shards", photos.parent / "other"
    other.mkdir()
    (other / "a.json").write_text("{}")
    shards = ["--shard-images", "2", "-o", str(out)]
    assert main(["automask", str(photos), "--points-per-side", "4", *shards]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for changed in (
        [str(photos), "--points-per-side", "5", *shards],
        [str(photos), "--points-per-side", "4", "--shard-images", "3", "-o", str(out)],
        [str(photos / "0.png"), "--points-per-side", "4", *shards],
        [str(photos), "--points-per-side", "4", "--shard-images", "2", "-o", str(other)],
    ):
        capsys.readouterr()
        assert main(["automask", *changed]) == 2
        assert "other images, another model or other options" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert main(["automask", str(photos / "2.png"), "--shard-images", "1", "-o", str(photos.parent / "none")]) == 2
    assert "None of the files could be segmented." in capsys.readouterr().err
    assert main(["automask", str(photos), "--shard-images", "1", "-o", str(photos / "0.png")]) == 2
    assert "it is a file" in capsys.readouterr().err
