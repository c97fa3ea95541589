"""The training: a step, what it learns from, and what is carried to another machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sam2.build_sam import _load_checkpoint

from annotator.settings import ASSETS_DIR
from training import model as net
from training import train
from training.config import PRESETS, Config, Phase
from training.data import Scenes, near_border
from training.losses import edge_loss
from training.mean import mean
from training.pack import shrink
from training.photos import PhotoFile, read_held_out, read_pack, read_train, write_pack
from training.pretrained import principal
from training.scores import Answers, ask, figures, fit
from training.step import train_step

SIZE = 64
PHASE = Phase(until=1.0, size=SIZE, images=2, prompts=3, drawn=0.0, paste=0.5, corrected=1.0, balance=0.1)
CONFIG = replace(Config(), min_area=0.01)


def discs(name: str, source: str) -> PhotoFile:
    """Three coloured discs on grey, two of them labelled."""
    y, x = np.mgrid[:120, :160]
    image = np.full((120, 160, 3), 128, np.uint8)
    ids = np.zeros((120, 160), np.uint8)
    for k, (cx, cy, colour) in enumerate(((40, 40, 255), (110, 40, 0), (80, 90, 200)), 1):
        disc = (x - cx) ** 2 + (y - cy) ** 2 < 25**2
        image[disc] = colour
        ids[disc] = k if k < 3 else 0
    content = [cv2.imencode(kind, each)[1].tobytes() for kind, each in ((".jpg", image), (".png", ids))]
    return PhotoFile(name, source, *content)


PHOTOS = [discs("a", "coco"), discs("b", "nuclei")]


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    stream = iter(Scenes(PHOTOS, CONFIG, PHASE, 0))
    samples = [next(stream) for _ in range(2)]
    return {key: torch.stack([each[key] for each in samples]) for key in samples[0]}  # type: ignore[literal-required]


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    model = net.build(SIZE)
    model.load_state_dict(torch.load(ASSETS_DIR / "nano.pt", weights_only=True)["model"])
    net.freeze_fine_stages(model)
    return model.train()


@pytest.fixture
def cuda_autocast() -> Iterator[None]:
    """What CUDA's autocast refuses, refused on CPU tensors: its dispatch key, forced."""
    torch.set_autocast_enabled("cuda", True)
    with torch._C._IncludeDispatchKeyGuard(torch._C.DispatchKey.AutocastCUDA):
        with pytest.raises(RuntimeError, match="unsafe to autocast"):
            torch.nn.functional.binary_cross_entropy(torch.full((1,), 0.5), torch.ones(1))
        yield
    torch.set_autocast_enabled("cuda", False)


@pytest.mark.usefixtures("cuda_autocast")
@pytest.mark.parametrize("preset", PRESETS)
def test_a_step_of_every_preset_runs_under_the_autocast_of_a_gpu(preset, network, batch) -> None:  # type: ignore[no-untyped-def]
    config = PRESETS[preset]
    figures = train_step(network, config, batch, PHASE, np.random.default_rng(0), clicks=1)
    assert all(torch.isfinite(each) for each in figures.values())
    trained = {name for name, each in network.named_parameters() if each.grad is not None and each.grad.any()}
    assert any("iou_prediction_head" in name for name in trained)
    assert any("trunk" in name for name in trained)


def test_steps_on_one_batch_lower_its_loss(network, batch) -> None:  # type: ignore[no-untyped-def]
    optimizer = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], lr=1e-4)
    losses = []
    for _ in range(6):
        losses.append(float(train_step(network, CONFIG, batch, PHASE, np.random.default_rng(0), clicks=0)["loss_1"]))
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.8 * losses[0]


def test_scores_are_fitted_without_a_change_to_the_masks(network, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    head = network.eval().sam_mask_decoder.iou_prediction_head
    rng = np.random.default_rng(0)
    parts = [ask(network, photo.decode(), rng, 0.005) for photo in PHOTOS]
    answers = Answers.join(part for part in parts if part is not None)
    assert len(answers.ious) == 2 * 2 * 3 and int(answers.ambiguous.sum()) == 2 * 2
    before = figures(head, answers)
    after = figures(fit(head, answers, answers), answers)
    assert after["loss"] < before["loss"]
    assert after["best"] == before["best"] >= after["picked"] >= before["picked"]


def test_principal_components_are_of_equal_size_and_independent() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(5000, 2) * torch.tensor([3.0, 1.0])
    cells = hidden @ torch.randn(2, 8) + 7 + 0.01 * torch.randn(5000, 8)
    weight, bias = principal(cells, 2)
    found = cells @ weight.T + bias
    assert torch.allclose(found.mean(0), torch.zeros(2), atol=1e-2)
    assert torch.allclose(found.T @ found / 5000, torch.eye(2), atol=1e-2)


def test_the_mean_of_checkpoints_is_loaded_like_one_of_them(tmp_path: Path) -> None:
    models = [torch.nn.Linear(2, 2) for _ in range(2)]
    paths = [tmp_path / f"{number}.pt" for number in range(2)]
    for model, path in zip(models, paths, strict=True):
        torch.save({"model": model.state_dict()}, path)
    mean(paths, tmp_path / "mean.pt")
    _load_checkpoint(models[0], tmp_path / "mean.pt")
    weights = [torch.load(path, weights_only=True)["model"]["weight"] for path in paths]
    assert torch.allclose(models[0].weight, sum(weights) / 2, atol=1e-3)
    torch.save({"model": torch.nn.Linear(3, 2).state_dict()}, paths[1])
    with pytest.raises(ValueError, match="different networks"):
        mean(paths, tmp_path / "mean.pt")


def test_the_edge_loss_sees_a_border_that_the_small_logits_put_between_two_cells() -> None:
    """A border 1.5 pixels off costs more than one that is exact, at a quarter of the resolution."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:, : SIZE // 2] = 1
    near = torch.from_numpy(near_border(np.random.default_rng(0), mask, np.ones((SIZE, SIZE), bool), 400))[None]
    truth = torch.from_numpy(mask)[near[0, :, 1], near[0, :, 0]][None]
    assert 0 < truth.float().mean() < 1 and (near[..., 0] - SIZE / 2).abs().max() <= 2
    losses = []
    for shift in (0.0, 1.5):
        ramp = 3 * (SIZE / 2 + shift - (torch.arange(SIZE // 4) * 4 + 2))
        losses.append(float(edge_loss(ramp.expand(1, 1, SIZE // 4, -1), near, truth, SIZE)))
    assert losses[0] < losses[1]


def test_a_pack_gives_back_smaller_photos_with_the_same_regions(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.zip", [shrink(each, 80) for each in PHOTOS])
    photos = read_train(tmp_path / "pack.zip")
    assert [(each.name, each.source) for each in photos] == [("a", "coco"), ("b", "nuclei")]
    before, after = PHOTOS[0].decode(), photos[0].decode()
    assert after.labels.shape == (60, 80) and set(np.unique(after.labels)) == {0, 1, 2}
    assert np.abs(after.image.astype(int) - cv2.resize(before.image, (80, 60), interpolation=cv2.INTER_AREA)).mean() < 4
    assert read_pack(tmp_path / "pack.zip") == photos


def test_every_twentieth_photo_of_each_set_is_held_out(tmp_path: Path) -> None:
    for folder, count in (("segments/train", 2), ("more/one", 41), ("more/two", 3)):
        for part in ("images", "masks"):
            (tmp_path / folder / part).mkdir(parents=True)
        for k in range(count):
            file = discs(f"x_{k:02}", "")
            (tmp_path / folder / "images" / f"{file.name}.jpg").write_bytes(file.image)
            (tmp_path / folder / "masks" / f"{file.name}.png").write_bytes(file.mask)
    held_out, train = read_held_out(tmp_path), read_train(tmp_path)
    assert [(each.source, each.name) for each in held_out] == [
        (s, f"x_{k:02}") for s, k in (("one", 0), ("one", 20), ("one", 40), ("two", 0))
    ]
    assert len(train) == 2 + 38 + 2
    assert not {(each.source, each.name) for each in held_out} & {(each.source, each.name) for each in train}


def test_numbers_of_the_config_keep_their_kind() -> None:
    config = train.changed(CONFIG, ["lr=1e-3", "seed=7"])
    assert (config.lr, config.seed) == (1e-3, 7)
    for wrong in ("lr", "lr=fast", "seed=0.5", "phases=3", "nothing=1"):
        with pytest.raises(ValueError, match=wrong.partition("=")[0]):
            train.changed(CONFIG, [wrong])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "holds a run already"),
        (("--run", "{0}/none", "--resume"), "holds no run to go on with"),
        (("--run", "{0}/none", "--init", "{0}/none.pt"), "There are no weights at"),
        (("--run", "{0}/none", "--data", "{0}"), "has no folder segments/"),
        (("--run", "{0}/none", "--set", "lr=fast"), "lr should be a number"),
    ],
)
def test_a_run_that_cannot_begin_says_why_and_leaves_nothing(
    options: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / train.CHECKPOINT).write_bytes(b"hours of work")
    (tmp_path / "data" / "segments").mkdir(parents=True)
    command = ["train", "--run", str(tmp_path), "--data", str(tmp_path / "data")]
    monkeypatch.setattr(sys, "argv", command + [each.format(tmp_path) for each in options])
    with pytest.raises(SystemExit):
        train.main()
    assert says in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", train.CHECKPOINT]
