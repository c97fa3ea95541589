"""What is measured of masks: borders, pieces, boxes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotator.cli.evaluate import BORDER, LabelledPhoto, boundary_f, evaluate, read_photos
from annotator.errors import AnnotatorError
from annotator.sam.predictor import Predictor

HEIGHT, WIDTH = 300, 400
REACH = BORDER * 500  # 3 pixels


def bar(left: int, right: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "truth", "wanted"),
    [
        (bar(100, 200), bar(100, 200), 1.0),
        (bar(100, 200), bar(100 - int(REACH), 200 + int(REACH)), 1.0),
        (bar(100, 200), bar(90, 210), 0.0),
        (bar(100, 200), bar(100, 240), 0.5),
        (bar(0, 200), bar(100, 200), 2 / 3),  # the left edge of the image is no border
        (bar(0, 0), bar(100, 200), 0.0),
        (bar(0, WIDTH), bar(0, WIDTH), 1.0),
        (bar(0, WIDTH), bar(100, 200), 0.0),
    ],
    ids=["same", "within reach", "beyond it", "one of two", "half of the borders", "nothing", "no borders", "all"],
)
def test_boundary_f_counts_the_borders_that_lie_near_each_other(
    mask: np.ndarray, truth: np.ndarray, wanted: float
) -> None:
    assert boundary_f(mask, truth) == pytest.approx(wanted)
    assert boundary_f(truth, mask) == pytest.approx(wanted)


@pytest.fixture
def photo(cat: np.ndarray) -> LabelledPhoto:
    """The cat with three regions of its face, one of them too small to be asked for."""
    ids = np.zeros(cat.shape[:2], np.int64)
    ids[60:220, 100:330] = 1
    ids[90:130, 140:200] = 2
    ids[:3, :3] = 3
    return LabelledPhoto("cats", cat, ids, np.ones(ids.shape, bool))


def test_cleaning_leaves_fewer_pieces_and_the_same_first_score(predictor: Predictor, photo: LabelledPhoto) -> None:
    (raw,), (clean,) = (list(evaluate(predictor, [photo], share, clicks=3)) for share in (0.0, 0.02))
    assert len(raw) == len(clean) == 2
    assert [each.score for each in raw] == [each.score for each in clean]
    assert all(1 <= after.pieces <= before.pieces for before, after in zip(raw, clean, strict=True))
    assert all(0 < each.box < 1 and len(each.ious) == 3 for each in clean)


def test_a_limit_takes_the_same_regions_each_time(predictor: Predictor, photo: LabelledPhoto) -> None:
    first, second = (next(evaluate(predictor, [photo], 0.0, limit=1, clicks=1)) for _ in range(2))
    assert len(first) == 1
    assert first == second


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (None, "one.png could not be read (it is missing)"),
        (b"no picture", "one.png could not be read (it is damaged or no picture)"),
        (np.zeros((20, 30, 3), np.uint8), "one number a pixel"),
        (np.zeros((10, 30), np.uint8), "is 30 x 10 pixels, its image 30 x 20"),
    ],
    ids=["missing", "damaged", "in colour", "of another size"],
)
def test_a_mask_that_does_not_fit_is_named(tmp_path: Path, mask: bytes | np.ndarray | None, says: str) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "images" / "one.jpg")
    if isinstance(mask, bytes):
        (tmp_path / "masks" / "one.png").write_bytes(mask)
    elif mask is not None:
        Image.fromarray(mask).save(tmp_path / "masks" / "one.png")
    with pytest.raises(AnnotatorError, match=re.escape(says)):
        list(read_photos(tmp_path))
