"""Our graphs against official SAM 2 modules on the same weights, prompt by prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from annotator.errors import InvalidPrompt
from annotator.sam import zoo
from annotator.sam.layers import shuffle_twice
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.sam.preprocess import preprocess
from annotator.types import Point, Prompt
from benchmarks.official import features

HEIGHT, WIDTH = 300, 400
PROMPTS = {
    "one point": Prompt((Point(100, 50, 1),)),
    "two points": Prompt((Point(100, 50, 1), Point(20.5, 70.25, 0))),
    "box": Prompt(box=(10, 20, 200, 150)),
    "box and points": Prompt((Point(60, 60, 1), Point(5, 5, 0)), (10, 20, 200, 150)),
    "many points": Prompt(tuple(Point(x, x / 2, x % 2) for x in range(20))),
}
# float32 on both sides; the graph folds 1x1 convolutions and reorders sums.
TOLERANCE = 2e-5


class Official:
    """sam2's modules called as `SAM2ImagePredictor` calls them."""

    def __init__(self, model: str, path: Path | None) -> None:
        self.network = zoo.build(zoo.spec_of(model), path)

    @torch.inference_mode()
    def encode(self, x: torch.Tensor) -> list[torch.Tensor]:
        return features(self.network, x)

    @torch.inference_mode()
    def decode(
        self, features: list[torch.Tensor], prompts: PromptBatch, row: int, multimask: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scale = torch.tensor([self.network.image_size / WIDTH, self.network.image_size / HEIGHT])
        coords = torch.from_numpy(prompts.coords[row : row + 1]) * scale
        labels = torch.from_numpy(prompts.labels[row : row + 1]).int()
        given = prompts.mask_input is not None and (prompts.has_mask is None or prompts.has_mask[row])
        masks = torch.from_numpy(prompts.mask_input[row : row + 1]) if given else None
        sparse, dense = self.network.sam_prompt_encoder(points=(coords, labels), boxes=None, masks=masks)
        image = int(prompts.image_index[row])
        s0, s1, embed = (each[image : image + 1] for each in features)
        logits, scores, _, _ = self.network.sam_mask_decoder(
            image_embeddings=embed,
            image_pe=self.network.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            repeat_image=False,
            high_res_features=[s0, s1],
        )
        return logits, scores


Pair = tuple[Predictor, Official, list[ImageEmbedding], list[torch.Tensor]]


@pytest.fixture(scope="module", params=["nano", "tiny"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Ours and the official network with the same weights: bundled for nano, seeded random for tiny."""
    name = request.param
    path = zoo.checkpoint_path(zoo.MODELS["nano"], Path()) if name == "nano" else None
    official = Official(name, path)
    ours = Predictor.eager(name, path)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(2)]
    features = official.encode(preprocess(images, ours.image_size, ours.device, ours.dtype))
    return ours, official, ours.encode(images), features


def same(ours: torch.Tensor, official: torch.Tensor) -> bool:
    return bool((ours - official).abs().max() <= TOLERANCE * max(1.0, float(official.abs().max())))


def test_the_encoder_equals_the_official_one(pair: Pair) -> None:
    _, _, embeddings, (s0, s1, embed) = pair
    for i, each in enumerate(embeddings):
        assert same(each.image_embed, embed[i])
        assert same(shuffle_twice(each.feat_s0[None])[0], s0[i])
        assert same(F.pixel_shuffle(each.feat_s1, 2), s1[i])


@pytest.mark.parametrize("kind", PROMPTS)
@pytest.mark.parametrize("refined", [False, True])
def test_every_kind_of_prompt_is_answered_as_officially(pair: Pair, kind: str, refined: bool) -> None:
    ours, official, embeddings, features = pair
    rng = np.random.default_rng(1)
    mask = rng.normal(0, 8, (ours.mask_side,) * 2).clip(-32, 32).astype(np.float32) if refined else None
    prompts = PromptBatch.single(PROMPTS[kind], mask)
    answer = ours.decode(embeddings[:1], prompts)
    for multimask, slots in ((True, slice(1, 4)), (False, slice(0, 1))):
        logits, scores = official.decode(features, prompts, 0, multimask)
        assert same(answer.logits[:, slots], logits)
        assert same(answer.scores[:, slots], scores)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_prompts_on_several_images_with_and_without_masks_share_one_call(pair: Pair, count: int) -> None:
    ours, official, embeddings, features = pair
    rng = np.random.default_rng(count)
    prompts = PromptBatch(
        coords=(rng.random((count, 3, 2)) * (WIDTH, HEIGHT)).astype(np.float32),
        labels=rng.integers(0, 2, (count, 3)),
        image_index=rng.integers(0, 2, count),
        mask_input=rng.normal(0, 8, (count, 1, ours.mask_side, ours.mask_side)).clip(-32, 32).astype(np.float32),
        has_mask=rng.random(count) < 0.5,
    )
    answer = ours.decode(embeddings, prompts)
    for row in {0, count // 2, count - 1}:
        for multimask, slots in ((True, slice(1, 4)), (False, slice(0, 1))):
            logits, scores = official.decode(features, prompts, row, multimask)
            assert same(answer.logits[row : row + 1, slots], logits)
            assert same(answer.scores[row : row + 1, slots], scores)


def test_many_clicks_at_once_equal_one_at_a_time(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    xy = (np.random.default_rng(0).random((40, 2)) * (451, 300)).astype(np.float32)
    together = predictor.decode([embedding], PromptBatch.points(xy))
    for row in (0, 17, 39):
        alone = predictor.decode([embedding], PromptBatch.points(xy[row : row + 1]))
        assert same(together.logits[row], alone.logits[0])


def test_previous_logits_are_clamped_as_officially(predictor: Predictor, cat: np.ndarray) -> None:
    (embedding,) = predictor.encode([cat])
    prompt = PROMPTS["two points"]
    extreme = np.where(np.indices((predictor.mask_side,) * 2)[0] % 2, 1000, -1000).astype(np.float32)
    wild = predictor.decode([embedding], PromptBatch.single(prompt, extreme))
    tame = predictor.decode([embedding], PromptBatch.single(prompt, extreme.clip(-32, 32)))
    assert torch.equal(wild.logits, tame.logits)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"coords": np.full((1, 1, 2), np.nan, np.float32)}, "points"),
        ({"coords": np.zeros((1, 0, 2), np.float32), "labels": np.zeros((1, 0), np.int64)}, "points"),
        ({"coords": np.zeros((1, 65, 2), np.float32), "labels": np.ones((1, 65), np.int64)}, "points"),
        ({"labels": np.full((1, 1), 4)}, "points"),
        ({"image_index": np.array([1])}, "image_index"),
        ({"mask_input": np.zeros((1, 1, 8, 8), np.float32)}, "mask_input"),
    ],
)
def test_input_the_decoder_would_misread_is_refused(
    predictor: Predictor, cat: np.ndarray, change: dict[str, np.ndarray], field: str
) -> None:
    good = {
        "coords": np.zeros((1, 1, 2), np.float32),
        "labels": np.ones((1, 1), np.int64),
        "image_index": np.zeros(1, np.int64),
    }
    (embedding,) = predictor.encode([cat])
    with pytest.raises(InvalidPrompt) as caught:
        predictor.decode([embedding], PromptBatch(**{**good, **change}))
    assert caught.value.field == field
