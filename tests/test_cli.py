"""The command line: COCO out, one line and exit code 2 on failure."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from annotator.cli.main import main
from annotator.errors import NotFound
from annotator.imaging.decode import DecodedImage, decode
from annotator.settings import Settings
from annotator.storage.files import ImageFiles, content_key
from annotator.storage.library import ImageLibrary
from annotator.storage.store import Store
from annotator.types import ImageRecord

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"
CAT = str(SAMPLES / "skimage_chelsea.jpg")


def test_segment_writes_coco_that_pycocotools_loads(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main(["segment", CAT, "--point", "200,150", "--point", "10,10,0", "--model", "nano", "-o", str(out)]) == 0
    (entry,) = COCO(str(out)).dataset["annotations"]
    mask = coco_mask.decode(entry["segmentation"])
    assert mask.shape == (300, 451)
    assert mask.sum() == entry["area"] > 0
    assert 0 <= entry["score"] <= 1


def test_segment_takes_a_box(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main(["segment", CAT, "--box", "100,20,400,290", "--model", "nano", "-o", str(out)]) == 0
    assert json.loads(out.read_text())["images"][0]["width"] == 451


def test_automask_takes_folders_and_names_what_it_skips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    Image.open(CAT).save(folder / "cat.png")
    Image.open(SAMPLES / "skimage_coffee.jpg").save(folder / "deeper" / "coffee.jpg")
    (folder / "broken.jpg").write_bytes(b"text")
    (folder / "notes.txt").write_text("not an image, and not mentioned")
    out = tmp_path / "out.json"
    assert main(["automask", str(folder), "--points-per-side", "8", "--model", "nano", "-o", str(out)]) == 0
    loaded = COCO(str(out))
    assert len(loaded.dataset["images"]) == 2
    assert "skipped: broken.jpg" in capsys.readouterr().err


def test_one_image_that_breaks_the_decoder_does_not_end_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode_or_break(data: bytes, name: str, max_pixels: int) -> DecodedImage:
        if name == "skimage_coffee.jpg":
            raise RuntimeError("odd")
        return decode(data, name, max_pixels)

    monkeypatch.setattr("annotator.imaging.decode.decode", decode_or_break)
    assert main(["embed", str(SAMPLES), "--model", "nano", "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "skipped: " in said
    assert "skimage_coffee.jpg cannot be read (RuntimeError: odd)" in said
    assert "3 encoded, 0 were there already, 1 skipped" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["segment", "nowhere.jpg", "--point", "1,1"], "cannot be read"),
        (["segment", CAT], "--point"),
        (["segment", CAT, "--point", "1000,1"], "outside"),
        (["segment", CAT, "--point", "nan,1"], "number"),
        (["segment", CAT, "--point", "1,1", "--model", "huge"], "no model"),
        (["segment", CAT, "--point", "1,1", "--device", "cuda:99"], "no device cuda:99"),
        (["segment", CAT, "--point", "1,1", "--device", "gpu"], "--device is 'gpu'"),
        (["automask", "nowhere"], "could be read"),
    ],
)
def test_failures_are_one_line_and_exit_code_2(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "-o", str(tmp_path / "out.json")]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("annotator: ")
    assert says in last


def test_an_unwritable_output_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", CAT, "--point", "1,1", "--model", "nano", "-o", str(tmp_path / "no" / "out.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_models_lists_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["nano", "tiny", "small", "base_plus", "large"]


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert capsys.readouterr().err.startswith(f"annotator: Port {port} on 127.0.0.1 cannot be used")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two bright discs on a dark ground, with known regions, an ignored band and one region too small to count."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    y, x = np.mgrid[:200, :300]
    ids = np.zeros((200, 300), np.uint8)
    ids[(x - 80) ** 2 + (y - 100) ** 2 < 50**2] = 1
    ids[(x - 220) ** 2 + (y - 100) ** 2 < 40**2] = 2
    ids[:5, :5] = 3
    ids[195:] = 255
    photo = np.where((ids == 1)[..., None], (230, 60, 40), np.where((ids == 2)[..., None], (40, 90, 230), (30, 40, 30)))
    Image.fromarray(photo.astype(np.uint8)).save(tmp_path / "images" / "discs_1.jpg", quality=95)
    Image.fromarray(ids).save(tmp_path / "masks" / "discs_1.png")
    return tmp_path


def test_eval_prints_a_table_and_json_last(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(photos), "--model", "nano"]) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert figures["regions"] == 2
    assert {"miou_1", "miou_3", "noc80"} <= set(figures)
    assert any(line.startswith("discs") for line in lines)
    assert figures["miou_3"] > 0.5, "two plain discs"


def test_eval_can_fail_untrained_weights_score_near_nothing(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(photos), "--model", "nano", "--untrained"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["miou_1"] < 0.3


def test_eval_of_an_empty_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(tmp_path), "--model", "nano"]) == 2
    assert "no images" in capsys.readouterr().err


def test_embed_makes_the_servers_first_click_need_no_encode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["embed", str(SAMPLES), "--model", "nano", "--data-dir", str(tmp_path)]
    assert main(arguments) == 0
    assert "4 encoded, 0 were there" in capsys.readouterr().err
    assert len(list((tmp_path / "embeddings").glob("*.safetensors"))) == 4
    assert main(arguments) == 0
    assert "0 encoded, 4 were there" in capsys.readouterr().err


def test_purge_removes_deleted_images_for_good_and_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path)
    store, files = Store(settings.store_url), ImageFiles(tmp_path / "images")
    project = store.create_project("birds", "local")
    data = Path(CAT).read_bytes()
    decoded = decode(data, "cat.jpg", settings.max_pixels)
    for image_id, content in (("gone", data), ("twin", data), ("lost", data + b"x")):
        record = ImageRecord(image_id, project.id, "cat.jpg", content_key(content), decoded.pixel_key, 451, 300)
        ImageLibrary(store, files).add(record, content, decoded)
    store.delete_image("gone")
    store.delete_image("lost")
    store.close()
    assert main(["purge", "--data-dir", str(tmp_path)]) == 0
    assert "2 deleted images" in capsys.readouterr().out
    assert files.original(content_key(data)) == data  # another image still has it
    with pytest.raises(NotFound):
        files.original(content_key(data + b"x"))
