"""The network's input, against the official order: scale to [0, 1], resize, normalise."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from annotator.sam.preprocess import mask_to_logits, preprocess

CPU = torch.device("cpu")


def official(image: np.ndarray, size: int) -> torch.Tensor:
    x = torch.from_numpy(image).permute(2, 0, 1).float()[None] / 255
    if x.shape[-2:] != (size, size):
        x = F.interpolate(x, (size, size), mode="bilinear", align_corners=False, antialias=True)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (x - mean) / std


@pytest.mark.parametrize("shape", [(300, 451), (64, 64), (10, 2000), (1, 1)])
def test_any_image_becomes_the_official_input(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    ours = preprocess([image], 64, CPU, torch.float32)
    assert (ours - official(image, 64)).abs().max() < 2e-5


def test_read_only_and_strided_pixels_are_fine() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
    frozen = image[:, ::-1]
    frozen.flags.writeable = False
    assert torch.equal(
        preprocess([frozen], 32, CPU, torch.float32), preprocess([frozen.copy()], 32, CPU, torch.float32)
    )


def test_a_mask_as_input_is_ten_inside_minus_ten_outside_and_between_at_its_border() -> None:
    mask = np.zeros((128, 128), np.bool_)
    mask[33:64, 32:96] = True
    logits = mask_to_logits(mask, 32)
    assert logits.shape == (32, 32)
    assert logits[12, 16] == 10
    assert logits[0, 0] == -10
    assert -10 < logits[8, 16] < 10
