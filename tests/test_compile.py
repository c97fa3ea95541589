"""Compiled packages: the same answers as eager, refused when anything differs from what they were made of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from annotator.errors import ModelUnavailable
from annotator.sam import zoo
from annotator.sam.compile import compile_packages, load_packages, package_folder
from annotator.sam.predictor import Predictor, PromptBatch
from annotator.sam.threads import one_thread
from annotator.types import Point, Prompt

TOLERANCE = 5e-5


def load(predictor: Predictor, folder: Path) -> Predictor:
    return load_packages(folder, predictor.model, predictor.key, predictor.device, predictor.dtype)


@pytest.fixture(scope="module")
def packaged(predictor: Predictor, packages: Path) -> Predictor:
    return load(predictor, packages)


def same(ours: torch.Tensor, reference: torch.Tensor) -> bool:
    return bool((ours - reference).abs().max() <= TOLERANCE * max(1.0, float(reference.abs().max())))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_images_of_any_number_and_size_are_encoded_as_eagerly(
    predictor: Predictor, packaged: Predictor, count: int
) -> None:
    rng = np.random.default_rng(count)
    sizes = [(1, 1), (3000, 20), (384, 384), (77, 991)]
    images = [rng.integers(0, 256, (*sizes[i % 4], 3), np.uint8) for i in range(count)]
    for ours, reference in zip(packaged.encode(images), predictor.encode(images), strict=True):
        assert same(ours.image_embed, reference.image_embed)
        assert same(ours.feat_s0, reference.feat_s0)
        assert same(ours.feat_s1, reference.feat_s1)


@pytest.mark.parametrize("points", [1, 2, 63])
@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("box", [False, True])
def test_every_kind_of_prompt_is_answered_as_eagerly(
    predictor: Predictor, packaged: Predictor, cat: np.ndarray, points: int, refined: bool, box: bool
) -> None:
    if box and points == 63:
        points = 62
    rng = np.random.default_rng(points)
    mask = rng.normal(0, 8, (predictor.mask_side,) * 2).astype(np.float32) if refined else None
    clicks = tuple(Point(float(x * 451), float(y * 300), int(x > 0.5)) for x, y in rng.random((points, 2)))
    prompts = PromptBatch.single(Prompt(clicks, (10, 20, 300, 200) if box else None), mask)
    (embedding,) = predictor.encode([cat])
    ours, reference = packaged.decode([embedding], prompts), predictor.decode([embedding], prompts)
    assert same(ours.logits, reference.logits)
    assert same(ours.scores, reference.scores)
    assert same(ours.object_scores, reference.object_scores)


@pytest.mark.parametrize("count", [1, 3, 1024])
def test_any_number_of_clicks_on_one_image(
    predictor: Predictor, packaged: Predictor, cat: np.ndarray, count: int
) -> None:
    xy = (np.random.default_rng(count).random((count, 2)) * (451, 300)).astype(np.float32)
    (embedding,) = predictor.encode([cat])
    ours = packaged.decode([embedding], PromptBatch.points(xy))
    assert ours.logits.shape[0] == count
    for rows in (slice(0, 1), slice(count - 1, count)):
        reference = predictor.decode([embedding], PromptBatch.points(xy[rows]))
        assert same(ours.logits[rows], reference.logits)


def test_prompts_on_eight_images_in_one_call(predictor: Predictor, packaged: Predictor) -> None:
    rng = np.random.default_rng(0)
    embeddings = predictor.encode([rng.integers(0, 256, (40, 60, 3), np.uint8) for _ in range(8)])
    prompts = PromptBatch(
        coords=(rng.random((16, 2, 2)) * (60, 40)).astype(np.float32),
        labels=rng.integers(0, 2, (16, 2)),
        image_index=np.arange(16) % 8,
    )
    assert same(packaged.decode(embeddings, prompts).logits, predictor.decode(embeddings, prompts).logits)


def test_non_contiguous_features_do_not_give_garbage(
    predictor: Predictor, packaged: Predictor, cat: np.ndarray
) -> None:
    (embedding,) = predictor.encode([cat])
    twisted = type(embedding)(
        embedding.image_embed.transpose(1, 2).contiguous().transpose(1, 2),
        embedding.feat_s0.transpose(1, 2).contiguous().transpose(1, 2),
        embedding.feat_s1.transpose(1, 2).contiguous().transpose(1, 2),
        embedding.height,
        embedding.width,
    )
    prompts = PromptBatch.points(np.array([[200, 150]], np.float32))
    assert same(packaged.decode([twisted], prompts).logits, predictor.decode([embedding], prompts).logits)


def test_other_threads_go_on_while_a_package_runs(packaged: Predictor) -> None:
    image = np.zeros((384, 384, 3), np.uint8)
    packaged.encode([image])
    x = torch.zeros(4, 3, packaged.image_size, packaged.image_size)
    took: list[float] = []

    def encode() -> None:
        started = time.perf_counter()
        packaged.graphs.encoder(x)
        took.append(time.perf_counter() - started)

    thread = threading.Thread(target=encode)
    thread.start()
    longest, last = 0.0, time.perf_counter()
    while thread.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert longest < took[0] / 2


def test_several_threads_share_a_package(packaged: Predictor, cat: np.ndarray) -> None:
    (embedding,) = packaged.encode([cat])
    clicks = [PromptBatch.points(np.array([[20 * x, 150]], np.float32)) for x in range(1, 21)]
    with one_thread():
        alone = [packaged.decode([embedding], each).logits for each in clicks]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda each: packaged.decode([embedding], each).logits, clicks))
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("field", ["torch", "device", "checkpoint", "dtype", "format", "options"])
def test_packages_made_of_something_else_are_refused_in_one_line(
    predictor: Predictor, packages: Path, tmp_path: Path, field: str
) -> None:
    source = package_folder(packages, "nano", predictor.device, predictor.dtype)
    target = package_folder(tmp_path, "nano", predictor.device, predictor.dtype)
    target.mkdir()
    manifest = json.loads((source / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps({**manifest, field: "other"}))
    with pytest.raises(ModelUnavailable, match=field) as caught:
        load(predictor, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["no manifest", "no package", "cut package"])
def test_incomplete_packages_are_refused(predictor: Predictor, packages: Path, tmp_path: Path, damage: str) -> None:
    source = package_folder(packages, "nano", predictor.device, predictor.dtype)
    target = package_folder(tmp_path, "nano", predictor.device, predictor.dtype)
    shutil.copytree(source, target)
    if damage == "no manifest":
        (target / "manifest.json").unlink()
    elif damage == "no package":
        (target / "shared.pt2").unlink()
    else:
        (target / "shared.pt2").write_bytes((source / "shared.pt2").read_bytes()[:1000])
    with pytest.raises(ModelUnavailable):
        load(predictor, tmp_path)


def test_serving_from_packages_needs_neither_sam2_nor_hydra(packages: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import numpy as np, torch
from annotator.sam import zoo
from annotator.sam.compile import load_packages
from annotator.sam.predictor import PromptBatch
spec = zoo.MODELS["nano"]
key = zoo.checkpoint_key(spec, zoo.checkpoint_path(spec, Path()))
predictor = load_packages(Path({str(packages)!r}), "nano", key, torch.device("cpu"), torch.float32)
embeddings = predictor.encode([np.zeros((30, 40, 3), np.uint8)])
predictor.decode(embeddings, PromptBatch.points(np.array([[5, 5]], np.float32)))
assert not {{"sam2", "hydra", "omegaconf", "torch._inductor.compile_fx"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failed_compilation_leaves_no_folder_and_what_the_compiler_said(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(
            "C++ compile failed\n\nCommand:\ng++ -O3\n\nOutput:\nmain.cpp:1:10: fatal error: cuda.h\n1 error"
        )

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", fail)
    with pytest.raises(ModelUnavailable, match=r"\(main.cpp:1:10: fatal error: cuda.h\)"):
        compile_packages(predictor, tmp_path)
    assert not list(tmp_path.iterdir())
    assert "g++ -O3" in caplog.text


def test_the_key_of_the_bundled_model_covers_its_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = zoo.MODELS["nano"]
    weights = tmp_path / "nano.pt"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(zoo, "ASSETS_DIR", tmp_path)
    keys = set()
    for text in ("image_size: 384", "image_size: 512"):
        (tmp_path / spec.config).write_text(text)
        keys.add(zoo.checkpoint_key(spec, weights))
    assert len(keys) == 2
