"""The compiled model on every device that is here, against the plain network in float32 on the CPU."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest
import torch

from annotator.errors import ModelUnavailable
from annotator.masks import rle as rles
from annotator.sam.automask import AutomaskSettings, automask
from annotator.sam.candidates import find_candidates
from annotator.sam.compile import compile_packages, load_packages
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.sam.zoo import MODELS, checkpoint_key, checkpoint_path
from annotator.serving.model_host import pick_dtype
from annotator.types import Point, Prompt
from tests.conftest import PACKAGES

WEIGHTS = checkpoint_path(MODELS["nano"], PACKAGES)
CUDA = torch.cuda.is_available()
KINDS = ["packaged on cpu", *(["packaged on cuda", "eager float32 on cuda"] if CUDA else [])]
LEAST_IOU = {torch.float32: 0.999, torch.float16: 0.98}
"""float16 moves an unsure border by a pixel here and there."""


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest) -> Predictor:
    """The bundled model as `annotator serve` would run it, compiled in the device's own precision; and in float32."""
    kind, device = request.param, torch.device(request.param.split()[-1])
    if kind == "packaged on cpu":
        request.getfixturevalue("packages")
    if kind.startswith("eager"):
        torch.backends.cudnn.allow_tf32 = False  # nano's convolutions
        return Predictor.eager("nano", WEIGHTS, device)
    return compiled(device)


def compiled(device: torch.device) -> Predictor:
    """From the packages, which are made if they are not there."""
    dtype, key = pick_dtype("auto", device), checkpoint_key(MODELS["nano"], WEIGHTS)
    try:
        return load_packages(PACKAGES, "nano", key, device, dtype)
    except ModelUnavailable:
        compile_packages(Predictor.eager("nano", WEIGHTS, device, dtype), PACKAGES)
        return load_packages(PACKAGES, "nano", key, device, dtype)


def prompts(seed: int) -> list[Prompt]:
    """One to three points, some with a box, on a photo of 451 x 300; each kind twice, the second may be replayed."""
    rng = np.random.default_rng(seed)
    found = []
    for count in (1, 2, 3, 1, 2, 3):
        points = tuple(
            Point(float(x * 451), float(y * 300), int(i == 0)) for i, (x, y) in enumerate(rng.random((count, 2)))
        )
        found.append(Prompt(points, (60, 20, 400, 290) if count == 3 else None))
    return found


@pytest.mark.parametrize("refined", [False, True])
def test_clicks_give_the_same_masks(served: Predictor, predictor: Predictor, cat: np.ndarray, refined: bool) -> None:
    (ours,), (expected,) = served.encode([cat]), predictor.encode([cat])
    ious = []
    for prompt in prompts(seed=int(refined)):
        mask = None
        if refined:
            mask = find_candidates(predictor, expected, prompt).logits[0]
        plain = find_candidates(predictor, expected, prompt, mask)
        found = find_candidates(served, ours, prompt, mask)
        while served.capture_pending():
            pass
        assert found.logits.shape == plain.logits.shape
        # Two candidates of nearly the same score may change places.
        best = [max(rles.iou(each.mask, other.mask) for other in found.masks) for each in plain.masks]
        ious += [iou for iou, each in zip(best, plain.masks, strict=True) if rles.area(each.mask) > 50]
    assert len(ious) > 6
    assert np.mean(ious) >= LEAST_IOU[served.dtype]


def test_automatic_masks_are_the_same(served: Predictor, predictor: Predictor, coffee: np.ndarray) -> None:
    settings = AutomaskSettings(points_per_side=8, iou_threshold=0.3, stability_threshold=0.5)
    expected = automask(predictor, predictor.encode([coffee])[0], settings)
    found = automask(served, served.encode([coffee])[0], settings)
    assert len(expected) > 4
    assert abs(len(found) - len(expected)) <= 1
    matched = [max(rles.iou(each.mask, other.mask) for other in found) for each in expected]
    assert np.mean([iou > 0.9 for iou in matched]) > 0.8


def test_a_batch_of_images_is_encoded_as_one_by_one(served: Predictor, cat: np.ndarray) -> None:
    together = served.encode([cat, cat[:, ::-1], cat[::2]])
    (alone,) = served.encode([np.ascontiguousarray(cat[::2])])
    a, b = together[2].image_embed.float(), alone.image_embed.float()
    assert float((a - b).norm() / b.norm()) < (1e-4 if served.dtype == torch.float32 else 0.02)


if CUDA:
    # What only a GPU can show; there is nothing like it to test on a CPU.

    def clicked(predictor: Predictor, embedding: ImageEmbedding, x: float) -> torch.Tensor:
        return predictor.decode([embedding], PromptBatch.points(np.array([[x, 150]], np.float32))).logits.clone()

    def on_cuda() -> Predictor:
        return Predictor.eager("nano", WEIGHTS, "cuda", torch.float16)

    def captured(predictor: Predictor) -> int:
        assert predictor.cuda_graphs is not None
        return len(predictor.cuda_graphs._captured)

    @pytest.mark.parametrize("make", [lambda: compiled(torch.device("cuda")), on_cuda], ids=["packaged", "eager"])
    def test_cuda_replays_what_was_captured(make: Callable[[], Predictor], cat: np.ndarray) -> None:
        predictor = make()
        (embedding,) = predictor.encode([cat])
        expected = [clicked(predictor, embedding, x) for x in (100, 200)]
        assert not predictor.capture_pending()
        assert captured(predictor) == 1
        for x, logits in zip((100, 200), expected, strict=True):
            assert torch.allclose(clicked(predictor, embedding, x), logits, atol=0.05)

    def test_cuda_memory_that_clicks_use_is_kept_by_a_capture(cat: np.ndarray) -> None:
        predictor = on_cuda()
        (embedding,) = predictor.encode([cat])
        clicked(predictor, embedding, 100)
        before = torch.cuda.memory_reserved()
        predictor.capture_pending()
        assert captured(predictor) == 1
        assert torch.cuda.memory_reserved() >= before

    def test_cuda_graphs_outlive_those_of_a_model_that_is_gone(cat: np.ndarray) -> None:
        first, second = on_cuda(), on_cuda()
        embeddings = [each.encode([cat])[0] for each in (first, second)]
        expected = [clicked(second, embeddings[1], x) for x in (100, 200, 300)]
        for each, embedding in zip((first, second), embeddings, strict=True):
            clicked(each, embedding, 50)
            each.capture_pending()
        del first, each
        gc.collect()
        torch.cuda.empty_cache()
        torch.full((1 << 28,), 7, dtype=torch.uint8, device="cuda")  # where freed memory was
        for x, logits in zip((100, 200, 300), expected, strict=True):
            assert torch.allclose(clicked(second, embeddings[1], x), logits, atol=0.05)

    def test_cuda_goes_on_where_a_capture_fails(cat: np.ndarray) -> None:  # the last: no capture is tried after it
        predictor = on_cuda()
        (embedding,) = predictor.encode([cat])
        expected = clicked(predictor, embedding, 100)
        decoder = predictor.graphs.shared

        def waiting(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            inputs[3].sum().item()  # not permitted in a capture
            return decoder(*inputs)

        predictor.graphs = predictor.graphs._replace(shared=waiting)
        clicked(predictor, embedding, 100)
        predictor.capture_pending()
        assert torch.cuda.current_stream() == torch.cuda.default_stream()
        assert torch.allclose(clicked(predictor, embedding, 100), expected, atol=0.05)
        held = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
        reserved = torch.cuda.memory_reserved()
        del held
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() < reserved
        another = on_cuda()
        clicked(another, another.encode([cat])[0], 100)
        another.capture_pending()
        assert captured(another) == 0
