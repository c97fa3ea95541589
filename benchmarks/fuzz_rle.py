"""Damaged run lengths for `benchmarks.fuzz`: COCO strings, lists of runs, and the browser's cropped runs."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from annotator.errors import InvalidMask
from annotator.masks import rle
from annotator.types import RLE, CroppedRuns

_SIDES = (1, 2, 3, 7, 40, 100, 100, 100, 1000, 31_623, 65_535, 65_536, 10**9, 2**32, 0, -1, 10**30)
_RUNS = (0, 0, 1, 1, 2, 5, 31, 32, 100, 1023, 1024, 10**4, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 10**30, -1, -(2**63))
_ODD: tuple[Any, ...] = (None, "", "x" * 1000, 1.0, 0.5, True, [], [1], {}, float("nan"))
_MAX_DECODED = 10**7


def case(rng: random.Random) -> bytes:
    """The runs of a random mask in one of the three forms, after some changes, as JSON."""
    height, width = (100, 100) if rng.random() < 0.5 else (rng.choice(_SIDES), rng.choice(_SIDES))
    legal = min(height, width) > 0 and height * width <= _MAX_DECODED
    coarse = np.random.default_rng(rng.randrange(2**32)).random((rng.randrange(1, 9), rng.randrange(1, 9))) < 0.5
    tile = np.kron(coarse, np.ones((5, 5), dtype=np.bool_))
    pixels = np.zeros((height, width) if legal else (30, 30), dtype=np.bool_)
    pixels[: tile.shape[0], : tile.shape[1]] = tile[: pixels.shape[0], : pixels.shape[1]]
    mask = rle.encode(pixels)
    form = rng.choice(("string", "counts", "cropped"))
    value: Any = {
        "string": rle.to_coco_string(mask),
        "counts": mask.counts.tolist(),
        "cropped": list(rle.to_cropped(mask)),
    }[form]
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        value = _mutated_text(value, rng) if isinstance(value, str) else _mutated_list(value, rng)
    if rng.random() < 0.03 and isinstance(value, list | str):
        value = value * rng.choice((100, 10_000))
    return json.dumps({"form": form, "height": height, "width": width, "value": value}).encode()


def run(data: bytes) -> str:
    """Decode in every way. Any error but `InvalidMask` is a crash."""
    given = json.loads(data)
    height, width, value = given["height"], given["width"], given["value"]
    try:
        if given["form"] == "cropped":
            mask = (
                rle.from_cropped(CroppedRuns(*value), height, width)
                if _is_cropped(value)
                else rle.from_counts(value, height, width)
            )
        elif isinstance(value, str):
            mask = rle.from_coco_string(value, height, width)
        else:
            mask = rle.from_counts(value, height, width)
        _check(mask)
    except InvalidMask as error:
        return _refused(error)
    return "decoded"


def _refused(error: InvalidMask) -> str:
    assert "\n" not in str(error) and len(str(error)) < 300, "not one short sentence"
    return "refused"


def _check(mask: RLE) -> None:
    """What holds for every valid mask. Raises InvalidMask if its rows are too intricate."""
    rle.validate(mask)
    height, width = mask.height, mask.width
    assert rle.from_coco_string(rle.to_coco_string(mask), height, width) == mask, "the string is another mask"
    x, y, w, h = rle.bbox(mask)
    assert 0 <= x <= x + w <= width and 0 <= y <= y + h <= height and rle.area(mask) <= w * h
    assert rle.from_cropped(rle.to_cropped(mask), height, width) == mask, "the cropped runs are another mask"
    if height * width <= _MAX_DECODED:
        pixels = rle.decode(mask)
        assert pixels.shape == (height, width) and pixels.sum() == rle.area(mask) and rle.encode(pixels) == mask


def _is_cropped(value: object) -> bool:
    """Whether pydantic would let this through: four whole numbers and a list of them."""
    if not isinstance(value, list) or len(value) != 5 or not isinstance(value[4], list):
        return False
    return all(type(each) is int for each in (*value[:4], *value[4]))


def _mutated_text(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    more = rng.choice(("", "0", "1", "O", "P", "o", "~", "_", "\x7f", "é", "\0", "o" * 8, "0" * 500))
    return text[:at] + more + text[at + rng.randrange(3) :]


def _mutated_list(values: Any, rng: random.Random) -> Any:
    if not isinstance(values, list) or not values:
        return rng.choice(_ODD)
    if isinstance(values[-1], list) and rng.random() < 0.6:
        return [*values[:-1], _mutated_list(values[-1], rng)]
    at = rng.randrange(len(values))
    new = rng.choice(_RUNS) if rng.random() < 0.9 else rng.choice(_ODD)
    kind = rng.randrange(4)
    if kind == 0:
        return values[:at] + values[at + 1 :]
    if kind == 1:
        return [*values[:at], new, *values[at:]]
    if kind == 2 and isinstance(values[at], int) and at + 1 < len(values) and isinstance(values[at + 1], int):
        return [*values[:at], values[at] + 1, values[at + 1] - 1, *values[at + 2 :]]  # the sum stays
    return [*values[:at], new, *values[at + 1 :]]
