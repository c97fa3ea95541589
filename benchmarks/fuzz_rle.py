"""Damaged masks for `benchmarks.fuzz`: COCO's strings, run lengths and cropped runs, right ones and changed ones."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from annotator.errors import InvalidMask
from annotator.masks import rle
from annotator.types import RLE, CroppedRuns

_NUMBERS: tuple[Any, ...] = (
    -1, 0, 1, 2, 63, 64, 65, 2**31 - 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 10**30, 1.5, 1e308, True, None, "3", [],
)  # fmt: skip


def case(rng: random.Random) -> bytes:
    """A mask in one of its three forms as JSON, with up to three changes."""
    height, width = rng.randint(1, 40), rng.randint(1, 40)
    noise = np.random.default_rng(rng.randrange(2**32)).random((height, width))
    mask = rle.encode(noise < rng.choice((0.0, 0.02, 0.3, 1.0)))
    form = rng.choice(("string", "counts", "cropped"))
    value: dict[str, Any] = {"form": form, "height": height, "width": width}
    if form == "string":
        value["counts"] = _changed_text(rle.to_coco_string(mask), rng)
    elif form == "counts":
        value["counts"] = _changed_list(mask.counts.tolist(), rng)
    else:
        cropped = rle.to_cropped(mask)
        value["box"] = _changed_numbers(list(cropped[:4]), rng)
        value["counts"] = _changed_list(cropped.runs, rng)
    if rng.random() < 0.1:
        value[rng.choice(("height", "width"))] = rng.choice((0, -1, 1, 41, 2**31, 2**40))
    return json.dumps(value).encode()


def run(data: bytes) -> str:
    """Read the mask; what comes out must be valid and stay itself in every form."""
    value = json.loads(data)
    height, width, counts = value["height"], value["width"], value["counts"]
    try:
        mask = _read(value["form"], counts, value.get("box"), height, width)
    except InvalidMask:
        return "refused"
    rle.validate(mask)
    assert (mask.height, mask.width) == (height, width)
    assert int(mask.counts.sum(dtype=np.int64)) == height * width
    pixels = rle.decode(mask)
    assert rle.encode(pixels) == mask, "not the runs of its pixels"
    assert rle.area(mask) == np.count_nonzero(pixels)
    assert rle.from_coco_string(rle.to_coco_string(mask), height, width) == mask
    assert rle.from_cropped(rle.to_cropped(mask), height, width) == mask
    return "read"


def _read(form: str, counts: Any, box: Any, height: int, width: int) -> RLE:
    if form == "string":
        return rle.from_coco_string(counts, height, width)
    if form == "counts":
        return rle.from_counts(counts, height, width)
    return rle.from_cropped(CroppedRuns(box[0], box[1], box[2], box[3], counts), height, width)


def _changed_text(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = rng.randrange(len(letters) + 1)
        letters[at : at + rng.choice((0, 1, 3))] = rng.choices("0PQo\x00\x7f~é 01_", k=rng.choice((0, 1, 1, 20)))
    return "".join(letters)


def _changed_list(values: list[Any], rng: random.Random) -> list[Any]:
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = rng.randrange(len(values) + 1)
        values[at : at + rng.choice((0, 1, 2))] = rng.choices(_NUMBERS, k=rng.choice((0, 1, 1, 3)))
    if len(values) > 1 and rng.random() < 0.2:  # the sum stays
        at = rng.randrange(len(values) - 1)
        if all(type(each) is int for each in values[at : at + 2]):
            values[at], values[at + 1] = values[at] + values[at + 1], 0
    return values


def _changed_numbers(box: list[int], rng: random.Random) -> list[int]:
    """The routes only let whole numbers through."""
    if rng.random() < 0.3:
        box[rng.randrange(4)] = rng.choice((-1, 0, 1, 39, 41, 2**31, 2**63))
    return box
