"""Full-resolution masks from low-resolution logits: the windowed path, the device path and pycocotools agree."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pycocotools import mask as coco

from annotator.masks import rle as rles
from annotator.sam.postprocess import (
    masks_to_rle,
    measure,
    measure_on_device,
    rle_on_device,
    stability,
    upsample_window,
    window_to_rle,
)
from annotator.types import RLE


def blobs(seed: int, side: int = 128) -> torch.Tensor:
    """Smooth random logits: blurred noise, so that masks have several parts and holes."""
    noise = torch.randn(1, 1, side // 8, side // 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, (side, side), mode="bicubic")[0, 0] * 4


def dense(rle: RLE) -> np.ndarray:
    counts = {"size": [rle.height, rle.width], "counts": rle.counts.tolist()}
    return coco.decode(coco.frPyObjects(counts, rle.height, rle.width)).astype(bool)


@pytest.mark.parametrize("size", [(1000, 1500), (96, 128), (37, 501), (128, 128), (2250, 97)])
@pytest.mark.parametrize("seed", range(3))
def test_windowed_upsampling_equals_interpolating_the_whole_frame(size: tuple[int, int], seed: int) -> None:
    logits = blobs(seed) - 2  # the shift leaves small, scattered masks
    full = F.interpolate(logits[None, None], size, mode="bilinear")[0, 0]
    (rle,) = masks_to_rle(logits[None], *size)
    # Both sum the same four products; the order differs, so a logit within rounding of 0 may fall on either side.
    wrong = dense(rle) != (full > 0).numpy()
    assert np.abs(full.numpy()[wrong]).max(initial=0) < 1e-5
    assert wrong.sum() <= 2


def test_logits_outside_the_window_never_exceed_its_threshold() -> None:
    logits = torch.full((64, 64), -3.0)
    logits[20:24, 40:50] = 5
    full = F.interpolate(logits[None, None], (333, 777), mode="bilinear")[0, 0]
    x, y, values = upsample_window(logits, 333, 777, threshold=-1)
    inside = torch.zeros(333, 777, dtype=torch.bool)
    inside[y : y + values.shape[1], x : x + values.shape[0]] = True
    assert full[~inside].max() <= -1
    assert values.size < full.numel() / 10


def test_a_mask_that_is_nowhere_is_one_run_of_zeros() -> None:
    (rle,) = masks_to_rle(torch.full((1, 32, 32), -1.0), 100, 50)
    assert rle.counts.tolist() == [5000]


def test_a_full_mask_is_an_empty_run_and_one_run_of_ones() -> None:
    (rle,) = masks_to_rle(torch.ones(1, 32, 32), 100, 50)
    assert rle.counts.tolist() == [0, 5000]


@pytest.mark.parametrize("kind", ["random", "empty", "full", "pixel", "stripes", "corner"])
def test_runs_found_on_the_device_equal_pycocotools(kind: str) -> None:
    rng = np.random.default_rng(0)
    masks = {
        "random": rng.random((5, 33, 47)) < 0.5,
        "empty": np.zeros((3, 33, 47), bool),
        "full": np.ones((3, 33, 47), bool),
        "pixel": np.eye(33 * 47, dtype=bool)[[0, 700, 33 * 47 - 1]].reshape(3, 33, 47),
        "stripes": np.broadcast_to(np.arange(47) % 2 == 0, (2, 33, 47)).copy(),
        "corner": np.pad(np.ones((1, 1, 1), bool), ((0, 0), (32, 0), (46, 0))),
    }[kind]
    for mask, rle in zip(masks, rle_on_device(torch.from_numpy(masks)), strict=True):
        assert np.array_equal(dense(rle), mask)
        assert rle.counts.sum() == mask.size
        expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        ours = coco.frPyObjects({"size": list(mask.shape), "counts": rle.counts.tolist()}, *mask.shape)
        assert ours["counts"] == expected["counts"]


def test_windowed_runs_equal_the_device_runs() -> None:
    logits = torch.stack([blobs(seed) for seed in range(6)])
    full = F.interpolate(logits[:, None], (210, 333), mode="bilinear")[:, 0]
    for each, expected in zip(logits, rle_on_device(full > 0), strict=True):
        rle = window_to_rle(upsample_window(each, 210, 333), 210, 333)
        assert (dense(rle) != dense(expected)).sum() <= 1


def test_stability_is_the_ratio_of_the_two_areas_and_zero_for_nothing() -> None:
    logits = torch.full((2, 10, 10), -5.0)
    logits[0, :4] = 0.0
    logits[0, :3] = 2.0
    assert stability(logits).tolist() == [0.75, 0.0]


@pytest.mark.parametrize("size", [(300, 451), (37, 501), (50, 40)])
def test_measures_are_those_of_the_masks_on_either_path(size: tuple[int, int]) -> None:
    logits = torch.stack([*(blobs(seed) - shift for seed, shift in enumerate((0, 2, 4))), torch.full((128, 128), -9.0)])
    full = F.interpolate(logits[:, None], size, mode="bilinear")[:, 0]
    table = measure(logits, *size).numpy()
    for (x0, y0, x1, y1), mask in zip(table[:, 2:], masks_to_rle(logits, *size), strict=True):
        assert (x0, y0, x1 - x0, y1 - y0) == rles.bbox(mask)
    steady = table[:, 0] / np.maximum(table[:, 1], 1)
    np.testing.assert_allclose(steady, stability(full).numpy(), atol=1e-6)
    on_device = measure_on_device(logits, *size, 1.0).numpy()
    assert (on_device[:, 2:] == table[:, 2:]).all()
    np.testing.assert_allclose(on_device[:, 0] / np.maximum(on_device[:, 1], 1), steady, atol=1e-6)


def test_nothing_to_measure_is_nothing() -> None:
    none = torch.zeros(0, 128, 128)
    assert masks_to_rle(none, 30, 40) == []
    assert measure(none, 30, 40).shape == (0, 6)
    assert measure_on_device(none, 30, 40, 1.0).shape == (0, 6)
