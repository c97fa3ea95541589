"""The command line: COCO out, one line and exit code 2 on failure."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from annotator.cli import automask, embed, prompted
from annotator.cli.main import main
from annotator.cli.results import FoundMask, MaskedImage, PartialResults
from annotator.errors import NotFound
from annotator.formats.dataset import FileCategory
from annotator.imaging.decode import DecodedImage, decode
from annotator.masks import rle
from annotator.sam.automask import AutomaskSettings, Proposal
from annotator.sam.automask import automask as propose
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.settings import Settings
from annotator.storage.files import ImageFiles, content_key
from annotator.storage.library import ImageLibrary
from annotator.storage.local_files import LocalFiles
from annotator.storage.store import Store
from annotator.types import Annotation, Change, ImageRecord

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


@pytest.fixture
def loaded(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """The commands take the bundled model that is loaded already."""
    for module in (prompted, automask, embed):
        monkeypatch.setattr(module, "load_predictor", lambda settings: predictor)
    return predictor


def test_segment_takes_a_box(tmp_path: Path, loaded: Predictor) -> None:
    out = tmp_path / "out.json"
    assert main(["segment", CAT, "--box", "100,20,400,290", "-o", str(out)]) == 0
    assert json.loads(out.read_text())["images"][0]["width"] == 451


def test_segment_takes_many_objects(tmp_path: Path, loaded: Predictor) -> None:
    out = tmp_path / "out.json"
    objects = ["--object", "200,150 10,10,0", "--object", "box:110,20,440,290", "--object", "172,103"]
    assert main(["segment", CAT, *objects, "-o", str(out)]) == 0
    areas = [each["area"] for each in COCO(str(out)).dataset["annotations"]]
    assert len(areas) == 3
    assert areas[0] > 10_000


@pytest.mark.parametrize("points", ["0", "65", "many"])
def test_a_grid_has_at_most_64_points_a_side(points: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["automask", CAT, "--points-per-side", points, "-o", str(tmp_path / "out.json")])
    assert f"argument --points-per-side: {points if points == '65' else repr(points)}" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one of them in a folder below, a broken file and a text."""
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    Image.open(CAT).save(folder / "cat.png")
    Image.open(SAMPLES / "skimage_coffee.jpg").save(folder / "deeper" / "coffee.jpg")
    (folder / "broken.jpg").write_bytes(b"text")
    (folder / "notes.txt").write_text("not an image, and not mentioned")
    (folder / "._cat.png").write_bytes(b"hidden, and not mentioned")
    return folder


def test_automask_takes_folders_and_names_what_it_skips(
    folder: Path, loaded: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out.json"
    twice = [str(folder), str(folder / "cat.png")]
    assert main(["automask", *twice, "--points-per-side", "4", "-o", str(out)]) == 0
    files = [image["file_name"] for image in COCO(str(out)).dataset["images"]]
    assert files == [str(folder / "cat.png"), str(folder / "deeper" / "coffee.jpg")]
    said = capsys.readouterr().err
    assert "skipped: broken.jpg" in said
    assert "notes.txt" not in said
    assert "._cat" not in said
    assert {path.name for path in folder.parent.iterdir()} == {"photos", "out.json"}


def test_an_interrupted_automask_keeps_what_it_has_and_goes_on(
    folder: Path, loaded: Predictor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    widths: list[int] = []

    def automask_or_stop(predictor: Predictor, embedding: ImageEmbedding, chosen: AutomaskSettings) -> list[Proposal]:
        widths.append(embedding.width)
        if len(widths) == 2:
            raise KeyboardInterrupt
        return propose(predictor, embedding, chosen)

    monkeypatch.setattr("annotator.sam.automask.automask", automask_or_stop)
    out, part = folder.parent / "out.json", folder.parent / "out.json.part"
    command = ["automask", str(folder), "--points-per-side", "4", "-o", str(out)]
    assert main(command) == 130
    assert "Masks of 1 image are kept" in capsys.readouterr().err
    assert part.exists()
    assert not out.exists()
    with part.open("ab") as file:
        file.write(b'{"file": "cut o')  # what kill -9 may leave
    assert main(command) == 0
    assert widths == [451, 600, 600], "the first image is not segmented again"
    assert [image["width"] for image in COCO(str(out)).dataset["images"]] == [451, 600]
    assert not part.exists()


def test_automask_does_not_mix_the_results_of_two_runs(
    folder: Path, loaded: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out.json"
    PartialResults(out, {"model": "tiny"}).add(MaskedImage("x.jpg", 2, 3, []))
    before = (folder.parent / "out.json.part").read_bytes()
    assert main(["automask", str(folder), "-o", str(out)]) == 2
    assert "another model or other options" in capsys.readouterr().err
    assert (folder.parent / "out.json.part").read_bytes() == before


def test_partial_results_are_read_back_as_they_were(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    mask = np.zeros((20, 30), np.bool_)
    mask[3:9, 4:20] = True
    bird = FileCategory("bird", "animal", 7)
    image = MaskedImage(
        "photo ü.jpg", 20, 30, [FoundMask(rle.encode(mask), 0.25), FoundMask(rle.encode(~mask), 1.0, bird)]
    )
    first = PartialResults(out, {"model": "nano"})
    first.add(image)
    first.close()
    assert PartialResults(out, {"model": "nano"}).images == {image.file: image}


def test_one_image_that_breaks_the_decoder_does_not_end_the_run(
    tmp_path: Path, loaded: Predictor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode_or_break(data: bytes, name: str, max_pixels: int) -> DecodedImage:
        if name == "skimage_coffee.jpg":
            raise RuntimeError("odd")
        return decode(data, name, max_pixels)

    monkeypatch.setattr("annotator.imaging.decode.decode", decode_or_break)
    assert main(["embed", str(SAMPLES), "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert f"skipped: {SAMPLES / 'skimage_coffee.jpg'} (RuntimeError: odd)" in said
    assert "3 encoded, 0 were there already, 1 skipped" in said


@pytest.mark.parametrize("command", ["segment", "automask"])
def test_an_output_that_cannot_be_written_is_one_line_before_the_work(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for output, says in ((tmp_path / "no" / "out.json", "there is no folder"), (tmp_path, "it is a folder")):
        point = ["--point", "1,1"] if command == "segment" else []
        assert main([command, CAT, *point, "--model", "not even looked at", "-o", str(output)]) == 2
        said = capsys.readouterr().err
        assert "cannot be written" in said
        assert says in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["segment", "nowhere.jpg", "--point", "1,1"], "cannot be read"),
        (["segment", CAT], "--point"),
        (["segment", CAT, "--point", "1000,1"], "outside"),
        (["segment", CAT, "--point", "nan,1"], "number"),
        (["segment", CAT, "--point", "1"], "Object 1: A point should be (x, y) or (x, y, label)"),
        (["segment", CAT, "--object", "1,1", "--object", "box:1,2,3"], "Object 2: A box should be (x0, y0, x1, y1)"),
        (["segment", CAT, "--object", "box:1,1,2,2 box:1,1,2,2"], "Object 1: It has 2 boxes"),
        (["segment", CAT, "--object", "1,1", "--object", "9,999"], "Object 2: The point (9, 999) lies outside"),
        (["segment", CAT, "--object", " "], "Object 1: It needs a point or a box"),
        (["segment", CAT, "--point", "1,1", "--prompts", "x"], "Choose one way"),
        (["segment", CAT, "--prompts", "nowhere.json"], "nowhere.json cannot be read"),
        (["segment", str(SAMPLES), "--point", "1,1"], "The prompts are of one image, and 4 are given."),
        (["segment", CAT, "--point", "1,1", "--model", "huge"], "no model"),
        (["segment", CAT, "--point", "1,1", "--device", "cuda:99"], "no device cuda:99"),
        (["segment", CAT, "--point", "1,1", "--device", "gpu"], "--device is 'gpu'"),
        (["automask", "nowhere"], "could be segmented"),
    ],
)
def test_failures_are_one_line_and_exit_code_2(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "-o", str(tmp_path / "out.json")]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("annotator: ")
    assert says in last


def test_models_lists_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["nano", "tiny", "small", "base_plus", "large"]


def test_only_our_own_words_are_logged(tmp_path: Path) -> None:
    Store(Settings(data_dir=tmp_path).store_url).close()
    arguments = ["-m", "annotator", "purge", "--data-dir", str(tmp_path)]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == "Removed for good: 0 deleted projects and 0 images.\n"


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert capsys.readouterr().err.startswith(f"annotator: Port {port} on 127.0.0.1 cannot be used")


def test_a_server_on_the_network_answers_to_its_own_names_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[Settings] = []
    monkeypatch.setattr("annotator.web.server.make_app", made.append)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    arguments = ["serve", "--port", "0", "--data-dir", str(tmp_path)]
    for more in ([], ["--host", "0.0.0.0"], ["--host", "0.0.0.0", "--allowed-hosts", "photos.example"]):
        assert main([*arguments, *more]) == 0
    here, network, named = (set(settings.allowed_hosts) for settings in made)
    assert here == {"127.0.0.1", "localhost", "::1"}
    assert {"localhost", socket.gethostname().lower()} <= network
    assert "*" not in network
    assert named == {"photos.example"}


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
    assert {"miou_1", "miou_3", "noc80", "boundary_f", "connected", "miou_box"} <= set(figures)
    assert any(line.startswith("discs") for line in lines)
    assert figures["miou_3"] > 0.5, "two plain discs"
    assert figures["miou_box"] > 0.5
    assert figures["connected"] == 1


def test_eval_takes_fewer_regions_and_uncleaned_masks_when_asked(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(photos), "--model", "nano", "--limit", "1", "--raw"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["regions"] == 1


def test_eval_can_fail_untrained_weights_score_near_nothing(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(photos), "--model", "nano", "--untrained"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["miou_1"] < 0.3


def test_eval_of_an_empty_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(tmp_path), "--model", "nano"]) == 2
    assert "no images" in capsys.readouterr().err


def test_embed_makes_the_servers_first_click_need_no_encode(
    tmp_path: Path, loaded: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["embed", str(SAMPLES), "--data-dir", str(tmp_path)]
    assert main(arguments) == 0
    assert "4 encoded, 0 were there" in capsys.readouterr().err
    assert len(list((tmp_path / "embeddings").glob("*.safetensors"))) == 4
    assert main(arguments) == 0
    assert "0 encoded, 4 were there" in capsys.readouterr().err


def test_purge_removes_deleted_images_for_good_and_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path)
    store, files = Store(settings.store_url), ImageFiles(LocalFiles(tmp_path / "images"))
    project = store.create_project("birds", "local")
    data = Path(CAT).read_bytes()
    decoded = decode(data, "cat.jpg", settings.max_pixels)
    for image_id, content in (("gone", data), ("twin", data), ("lost", data + b"x")):
        record = ImageRecord(image_id, project.id, f"{image_id}.jpg", content_key(content), decoded.pixel_key, 451, 300)
        ImageLibrary(store, files).add(record, content, decoded)
    store.delete_image("gone")
    store.delete_image("lost")
    store.close()
    assert main(["purge", "--data-dir", str(tmp_path)]) == 0
    assert "Removed for good: 0 deleted projects and 2 images." in capsys.readouterr().out
    assert files.original(content_key(data)) == data  # another image still has it
    with pytest.raises(NotFound):
        files.original(content_key(data + b"x"))


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    """A data folder with the project 'birds', which has one image with one object, and two projects called 'cats'."""
    store = Store(Settings(data_dir=tmp_path).store_url)
    birds, *_ = (
        store.create_project(name, owner) for name, owner in (("birds", "ann"), ("cats", "ann"), ("cats", "bob"))
    )
    label = store.add_label(birds.id, "wing")
    store.add_image(ImageRecord("image", birds.id, "a/b.jpg", "c" * 64, "p" * 64, 30, 20))
    mask = np.zeros((20, 30), np.bool_)
    mask[3:9, 4:20] = True
    new = Annotation("object", "image", label.id, rle.encode(mask), int(mask.sum()), (4, 3, 16, 6), 0.5)
    store.commit("image", "keep", [Change(None, new)])
    return store


@pytest.mark.parametrize("project", ["birds", "1"])
def test_export_writes_a_project_as_coco_while_the_database_is_in_use(
    kept: Store, project: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    assert main(["export", project, "-o", str(out), "--data-dir", str(tmp_path)]) == 0
    exported = COCO(str(out))
    (entry,) = exported.dataset["annotations"]
    assert coco_mask.decode(entry["segmentation"]).sum() == entry["area"] == 96
    assert [each["file_name"] for each in exported.dataset["images"]] == ["a/b.jpg"]
    assert [each["name"] for each in exported.dataset["categories"]] == ["wing"]
    assert kept.annotation_counts(["image"]) == {"image": 1}


@pytest.mark.parametrize(
    ("project", "says"), [("dogs", "1 (birds), 2 (cats), 3 (cats)"), ("cats", "2 (cats), 3 (cats)")]
)
def test_a_project_that_is_not_clear_is_one_line_with_the_choice(
    kept: Store, project: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", project, "-o", str(tmp_path / "out.json"), "--data-dir", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("command", ["export", "purge"])
def test_a_missing_data_folder_is_said_and_not_made(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    more = ["birds", "-o", str(tmp_path / "out.json")] if command == "export" else []
    assert main([command, *more, "--data-dir", str(missing)]) == 2
    assert "no data folder" in capsys.readouterr().err
    assert not missing.exists()


def test_compile_prints_where_the_packages_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("annotator.sam.compile.compile_packages", lambda model, folder: folder / model.key)
    assert main(["compile", "nano", "--device", "cpu", "--models-dir", str(tmp_path)]) == 0
    assert Path(capsys.readouterr().out.strip()).parent == tmp_path / "packages"
