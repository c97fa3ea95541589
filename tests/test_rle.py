"""Run-length encoding: the same as pycocotools, lossless through every form, and unimpressed by hostile input."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from annotator.errors import InvalidMask, TooIntricate
from annotator.masks import rle
from annotator.types import RLE, BoolArray, CroppedRuns

SIZES = [(1, 1), (1, 9), (9, 1), (7, 5), (64, 48), (33, 130)]


def shapes(height: int, width: int) -> Iterator[BoolArray]:
    """Empty, full, one pixel, stripes both ways, checks, borders, rectangles and noise of several densities."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    yield np.zeros((height, width), bool)
    yield np.ones((height, width), bool)
    for row, column in {(0, 0), (height - 1, width - 1), (height - 1, 0), (0, width - 1), (height // 2, width // 2)}:
        yield (y == row) & (x == column)
    for pattern in (y, x, x + y, (y // 3) * (x // 2)):
        yield pattern % 2 == 0
        yield pattern % 2 == 1
    yield (y == 0) | (y == height - 1) | (x == 0) | (x == width - 1)
    for _ in range(20):
        top, bottom = np.sort(rng.integers(0, height + 1, 2))
        left, right = np.sort(rng.integers(0, width + 1, 2))
        yield (y >= top) & (y < bottom) & (x >= left) & (x < right)
    for density in (0.02, 0.3, 0.5, 0.9):
        yield rng.random((height, width)) < density


MASKS = [mask for size in SIZES for mask in shapes(*size)]


def reference(mask: BoolArray) -> dict[str, object]:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def test_encodes_as_pycocotools() -> None:
    for mask in MASKS:
        encoded = rle.encode(mask)
        rle.validate(encoded)
        assert rle.to_dict(encoded) == reference(mask)


def test_decodes_what_it_encoded() -> None:
    for mask in MASKS:
        decoded = rle.decode(rle.encode(mask))
        assert decoded.dtype == np.bool_ and decoded.flags.c_contiguous
        assert np.array_equal(decoded, mask)


def test_accepts_any_memory_layout() -> None:
    mask = MASKS[-1]
    for view in (np.asfortranarray(mask), np.ascontiguousarray(mask.T).T, np.repeat(mask, 2, axis=1)[:, ::2]):
        assert rle.encode(view) == rle.encode(mask)


def test_area_and_bbox_as_pycocotools() -> None:
    for mask in MASKS:
        encoded = rle.encode(mask)
        assert rle.area(encoded) == int(mask.sum())
        assert list(rle.bbox(encoded)) == coco_mask.toBbox(reference(mask)).astype(int).tolist()


def test_string_round_trip() -> None:
    for mask in MASKS:
        encoded = rle.encode(mask)
        assert rle.from_coco_string(rle.to_coco_string(encoded), *mask.shape) == encoded


def test_string_of_the_longest_runs_as_pycocotools() -> None:
    height, width = 65535, 65537
    for counts in ([0, rle.MAX_PIXELS], [rle.MAX_PIXELS], [2**31, 2**31 - 1], [5, 2**32 - 8, 1, 1], [1, 2, 2**32 - 4]):
        mask = rle.from_counts(counts, height, width)
        theirs = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        assert rle.to_coco_string(mask) == theirs["counts"].decode()
        assert rle.from_coco_string(rle.to_coco_string(mask), height, width) == mask
        assert rle.area(mask) == sum(counts[1::2])


@pytest.mark.parametrize(
    "counts",
    [
        "",
        "\x00",
        "0",
        "P",
        "\x7f",
        "é0",
        "\ud800",
        "o" * 40,
        "P" * 40 + "0",
        "0" * 12 + "P",
        "oooooo_",
        "1O",
        "9" * 200_000,
    ],
)
def test_hostile_strings_are_refused(counts: str) -> None:
    with pytest.raises(InvalidMask):
        rle.from_coco_string(counts, 4, 3)


def test_random_strings_are_refused_or_valid() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        text = "".join(map(chr, rng.integers(40, 120, rng.integers(1, 12))))
        with contextlib.suppress(InvalidMask):
            rle.validate(rle.from_coco_string(text, 6, 7))


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (-1, -1), (2**16, 2**16)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidMask):
        rle.from_coco_string("0", *size)
    with pytest.raises(InvalidMask):
        rle.from_counts([size[0] * size[1]], *size)


def test_masks_that_are_not_two_dimensional_or_without_pixels_are_refused() -> None:
    for shape in [(3,), (2, 2, 2), (0, 3), (3, 0)]:
        with pytest.raises(InvalidMask):
            rle.encode(np.zeros(shape, bool))


@pytest.mark.parametrize(
    "counts",
    [[], [11], [13], [-1, 13], [3.0, 9.0], ["12"], [[12]], [[1], [1, 10]], [2**70], None, 12, [2**63, 0]],
)
def test_bad_counts_are_refused(counts: object) -> None:
    with pytest.raises(InvalidMask):
        rle.from_counts(counts, 4, 3)  # type: ignore[arg-type]


def test_input_out_of_proportion_to_the_mask_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InvalidMask, match=r"1,000,000 runs and 10,000 pixels"):
        rle.from_counts([0] * 1_000_000, 100, 100)
    with pytest.raises(TooIntricate, match=r"1,000,000 characters"):
        rle.from_coco_string("0" * 1_000_000, 100, 100)
    with pytest.raises(TooIntricate, match="characters"):
        rle.from_coco_string("0" * (rle.MAX_CHARACTERS + 1), 60_000, 60_000)
    with pytest.raises(InvalidMask, match="whole numbers"):  # an array of them would take 120 GB
        rle.from_counts(["x" * 10_000_000, *[""] * 3000], 100, 100)


def test_frames_of_a_billion_pixels_cost_nothing_by_themselves() -> None:
    for height, width in ((1, 10**9), (10**9, 1), (10**5, 10**4)):
        dot = rle.from_cropped(CroppedRuns(0, 0, width, height, [5, 1, height * width - 6]), height, width)
        assert rle.to_cropped(dot).runs == [0, 1] and rle.area(dot) == 1
        assert rle.from_coco_string(rle.to_coco_string(dot), height, width) == dot
    for full in (rle.from_counts([0, 10**9], 1, 10**9), rle.from_counts([0, 10**9], 10**5, 10**4)):
        assert rle.area(full) == 10**9
    with pytest.raises(TooIntricate):
        rle.to_cropped(rle.from_counts([0, 10**9], 1, 10**9))


def test_runs_of_length_zero_are_merged() -> None:
    mask = rle.from_counts([2, 0, 3, 4, 0, 3, 0], 4, 3)
    assert mask.counts.tolist() == [5, 7]
    assert rle.from_counts([0, 0, 12], 4, 3) == rle.empty(4, 3)


def test_validate_refuses_what_is_not_canonical() -> None:
    rle.validate(RLE(4, 3, np.array([0, 12], np.uint32)))
    with pytest.raises(InvalidMask, match="uint32"):
        rle.validate(RLE(4, 3, np.array([12], np.int64)))
    for counts in ([5, 0, 7], [12, 0], [11]):
        with pytest.raises(InvalidMask):
            rle.validate(RLE(4, 3, np.array(counts, np.uint32)))


def test_cropped_runs_are_the_rows_of_the_tight_box() -> None:
    for mask in MASKS:
        x, y, w, h, runs = rle.to_cropped(rle.encode(mask))
        assert (x, y, w, h) == rle.bbox(rle.encode(mask))
        assert sum(runs) == w * h
        rows = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(h, w)
        assert np.array_equal(rows, mask[y : y + h, x : x + w])
        assert 0 not in runs[1:]


def test_cropped_round_trip() -> None:
    for mask in MASKS:
        encoded = rle.encode(mask)
        assert rle.from_cropped(rle.to_cropped(encoded), *mask.shape) == encoded


def test_cropped_box_need_not_be_tight() -> None:
    mask = rle.from_cropped(CroppedRuns(1, 1, 3, 2, [1, 1, 0, 0, 4]), 5, 6)
    expected = np.zeros((5, 6), bool)
    expected[1, 2] = True
    assert np.array_equal(rle.decode(mask), expected)
    assert rle.from_cropped(CroppedRuns(0, 0, 6, 5, [30]), 5, 6) == rle.empty(5, 6)


@pytest.mark.parametrize(
    "cropped",
    [
        CroppedRuns(-1, 0, 2, 2, [4]),
        CroppedRuns(5, 0, 2, 2, [4]),
        CroppedRuns(0, 4, 2, 2, [4]),
        CroppedRuns(0, 0, 2, 0, []),
        CroppedRuns(0, 0, 0, 0, [1]),
        CroppedRuns(0, 0, -2, -2, [4]),
        CroppedRuns(0, 0, 2, 2, [5]),
        CroppedRuns(0, 0, 2, 2, [5, -1]),
        CroppedRuns(0, 0, 2, 2, []),
        CroppedRuns(0, 0, 2, 2, [2**64, 4]),
        CroppedRuns(0, 0, 10**12, 10**12, [10**24]),
    ],
)
def test_hostile_cropped_runs_are_refused(cropped: CroppedRuns) -> None:
    with pytest.raises(InvalidMask):
        rle.from_cropped(cropped, 5, 6)


def test_few_runs_that_stand_for_a_giant_mask_are_refused_at_once() -> None:
    side = 30_000
    stripes = CroppedRuns(0, 0, side, side, [side] * side)
    with pytest.raises(TooIntricate, match="intricate"):
        rle.from_cropped(stripes, side, side)


def test_set_operations_equal_those_on_pixels() -> None:
    for size in SIZES:
        masks = list(shapes(*size))
        for a, b in zip(masks, masks[7:] + masks[:7], strict=True):
            runs = rle.encode(a), rle.encode(b)
            assert rle.intersection(*runs) == rle.encode(a & b)
            assert rle.union(*runs) == rle.encode(a | b)
            assert rle.difference(*runs) == rle.encode(a & ~b)
            expected = (a & b).sum() / max((a | b).sum(), 1)
            assert rle.iou(*runs) == pytest.approx(expected)


def test_set_operations_need_equal_sizes() -> None:
    with pytest.raises(InvalidMask):
        rle.union(rle.empty(4, 3), rle.empty(3, 4))


def test_a_crop_is_placed_where_it_is_put() -> None:
    mask = MASKS[-1]
    crop, x, y = rle.decode_crop(rle.encode(mask))
    assert np.array_equal(crop, mask[y : y + crop.shape[0], x : x + crop.shape[1]])
    assert rle.encode_at(crop, x, y, *mask.shape) == rle.encode(mask)
    with pytest.raises(InvalidMask):
        rle.encode_at(crop, x + mask.shape[1], y, *mask.shape)


def test_the_union_of_many_is_theirs_all() -> None:
    random = np.random.default_rng(0)
    for count in (1, 2, 3, 9):
        for share in (0.0, 0.2, 0.6, 1.0):
            masks = [random.random((5, 4)) < share for _ in range(count)]
            assert rle.union(*map(rle.encode, masks)) == rle.encode(np.any(masks, axis=0))
