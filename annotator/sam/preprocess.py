"""uint8 pixels to the network's input, with the official image predictor's numerics.

Bytes go to the device as uint8; scaling, resizing and normalising happen there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from annotator.sam.transfer import to_device

# ImageNet statistics, as sam2.utils.transforms.SAM2Transforms uses them, here in units of uint8 levels.
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def preprocess(images: Sequence[npt.NDArray[np.uint8]], size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Upright RGB images [H, W, 3] of any sizes -> [B, 3, size, size], each squashed to the square.

    Antialiased bilinear in float32, then (x - mean) / std; resizing commutes with both, so it comes first.
    """
    mean, std = _statistics(device)
    resized = []
    for image in images:
        x = to_device(image, device)
        # Channel by channel: a large photo in float32 takes four times its bytes, and only a third of that at once.
        planes = [_resize(x[..., channel], size) for channel in range(3)]
        resized.append((torch.stack(planes)[None] - mean) / std)
    return torch.cat(resized).to(dtype)


@lru_cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [1, 3, 1, 1]. Kept, because sending them waits for a GPU."""
    mean, std = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (_MEAN, _STD))
    return mean, std


def _resize(plane: Tensor, size: int) -> Tensor:
    """uint8 [H, W] -> float32 [size, size]; as it is when it has that size already."""
    values = plane.float()
    if values.shape == (size, size):
        return values
    return F.interpolate(values[None, None], (size, size), mode="bilinear", align_corners=False, antialias=True)[0, 0]


def mask_to_logits(mask: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.float32]:
    """A full-resolution mask [H, W] as mask input [side, side]: +10 inside, -10 outside, in between at the border."""
    coverage = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return (coverage * 20 - 10).astype(np.float32)
