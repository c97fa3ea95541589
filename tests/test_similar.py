"""Everything like an example, on a drawn picture and with the bundled model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import annotator
from annotator.errors import InvalidMask, InvalidPrompt
from annotator.masks import rle as rles
from annotator.sam.appearance import describe, learn
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.sam.similar import SimilarRun
from annotator.types import RLE, Proposal

HEIGHT, WIDTH, RADIUS = 384, 512, 24
COINS = [(70 + 120 * column, 70 + 120 * row) for row in range(3) for column in range(4)]
RED, BLUE = (190, 60, 50), (40, 70, 190)


def disc(x: int, y: int, radius: int = RADIUS) -> RLE:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return rles.encode((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    """Twelve equal red coins; between them blue ones of the same size and a red crumb."""
    pixels = np.full((HEIGHT, WIDTH, 3), (205, 200, 190), np.uint8)
    for x, y in COINS:
        cv2.circle(pixels, (x, y), RADIUS, RED, -1)
    for x, y in [(130, 130), (250, 250), (370, 130)]:
        cv2.circle(pixels, (x, y), RADIUS, BLUE, -1)
    cv2.circle(pixels, (250, 130), 6, RED, -1)
    noise = np.random.default_rng(0).normal(0, 4, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def embedding(predictor: Predictor, table: np.ndarray) -> ImageEmbedding:
    (embedding,) = predictor.encode([table])
    return embedding


def search(predictor: Predictor, embedding: ImageEmbedding, examples: list[RLE], kept: list[RLE]) -> list[Proposal]:
    run = SimilarRun(learn([(embedding, each) for each in examples]), kept, HEIGHT, WIDTH)
    for _ in run.search(predictor, embedding, 0, 0):
        pass
    return run.proposals()


def which(proposal: Proposal) -> list[int]:
    return [index for index, (x, y) in enumerate(COINS) if rles.iou(proposal.mask, disc(x, y)) > 0.7]


def test_one_coin_finds_all_others_and_nothing_else(predictor: Predictor, embedding: ImageEmbedding) -> None:
    example = disc(*COINS[0])
    proposals = search(predictor, embedding, [example], [example])
    found = [each for each in proposals if (each.similarity or 0) >= 0.5]
    assert sorted(index for each in found for index in which(each)) == list(range(1, len(COINS)))
    assert len(found) == len(COINS) - 1
    similarities = [each.similarity for each in proposals]
    assert similarities == sorted(similarities, key=lambda each: -(each or 0))


def test_what_is_kept_is_not_proposed_again(predictor: Predictor, embedding: ImageEmbedding) -> None:
    kept = [disc(x, y) for x, y in COINS[:5]]
    proposals = search(predictor, embedding, kept[:2], kept)
    assert sorted(index for each in proposals for index in which(each)) == list(range(5, len(COINS)))


def test_a_part_finds_whole_objects_in_the_frame_of_the_image(predictor: Predictor, table: np.ndarray) -> None:
    left, top = 150, 60
    (part,) = predictor.encode([np.ascontiguousarray(table[top:, left:])])
    example = rles.encode(rles.decode(disc(*COINS[6]))[top:, left:])
    run = SimilarRun(learn([(part, example)]), [], HEIGHT, WIDTH)
    for _ in run.search(predictor, part, left, top):
        pass
    found = [index for each in run.proposals() if (each.similarity or 0) >= 0.5 for index in which(each)]
    assert sorted(found) == [5, 6, 7, 9, 10, 11]  # the upper border of the part cuts 2 and 3
    for each in run.proposals():
        x, y = each.point
        assert left <= x <= WIDTH
        assert top <= y <= HEIGHT
        assert each.bbox == rles.bbox(each.mask)


def test_alike_objects_have_alike_descriptions(embedding: ImageEmbedding) -> None:
    red, other_red, blue = (describe(embedding, disc(*each)) for each in (COINS[0], COINS[6], (130, 130)))
    assert np.linalg.norm(red) == pytest.approx(1)
    assert 1 - red @ other_red < 0.5 * (1 - red @ blue)


def test_programs_ask_an_image_for_all_that_is_like_a_mask(predictor: Predictor, table: np.ndarray) -> None:
    image = annotator.Model(predictor, max_pixels=10**6).encode(table)
    found = image.similar(rles.decode(disc(*COINS[0])))
    sure = [each for each in found if (each.similarity or 0) >= 0.5]
    assert len(sure) == len(COINS) - 1
    with pytest.raises(InvalidPrompt, match="at least one mask"):
        image.similar()
    with pytest.raises(InvalidMask, match="no pixel"):
        image.similar(np.zeros((HEIGHT, WIDTH), np.bool_))
