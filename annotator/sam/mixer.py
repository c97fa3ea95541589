"""A neck in which scales see each other: context at the coarsest, then down to the finest and up again.

A feature pyramid with a path back up (PANet, Liu et al. 2018, arXiv:1803.01534), of depthwise convolutions, with two
transformer blocks at stride 32 in front. It adds to the trunk's maps; with its first weights it adds nothing.
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

_WIDTHS = (32, 64, 128, 256)
"""Channels at strides 4, 8, 16 and 32."""
_HEADS = 8


class Filter(nn.Module):
    """A depthwise 5x5 convolution and two 1x1 ones, added to the input (ConvNeXt, Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.project = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        out: Tensor = self.project(F.relu(self.expand(self.norm(self.depthwise(x)))))
        return x + out


class Context(nn.Module):
    """A transformer block over all cells of a map; where a cell lies, it learns from a depthwise convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.project = nn.Conv2d(width, width, 1)
        self.filter = Filter(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        batch, width, height, columns = x.shape
        x = x + self.place(x)
        heads = self.qkv(self.norm(x)).reshape(batch, 3, _HEADS, width // _HEADS, height * columns)
        q, k, v = heads.transpose(3, 4).unbind(1)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(batch, width, height, columns)
        out: Tensor = self.filter(x + self.project(seen))
        return out


class Mixer(nn.Module):
    """Four maps, fine to coarse, each with what the others show added."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        """`channels` of the maps, at strides 4, 8, 16 and 32."""
        super().__init__()
        self.inputs = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(channels, _WIDTHS, strict=True))
        self.context = nn.Sequential(Context(_WIDTHS[3]), Context(_WIDTHS[3]))
        pairs = list(itertools.pairwise(_WIDTHS))
        self.refine = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.on_the_way_down = nn.ModuleList(Filter(width) for width in _WIDTHS[:3])
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs[:2])
        self.on_the_way_up = nn.ModuleList(Filter(width) for width in _WIDTHS[1:3])
        self.outputs = nn.ModuleList(nn.Conv2d(w, c, 1) for c, w in zip(channels, _WIDTHS, strict=True))
        for output in self.outputs:
            assert isinstance(output, nn.Conv2d) and output.bias is not None
            nn.init.zeros_(output.weight)
            nn.init.zeros_(output.bias)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps [B, channels[k], s, s], s = S / 4 / 2**k, to maps of the same shapes."""
        mixed = [enter(x) for enter, x in zip(self.inputs, maps, strict=True)]
        mixed[3] = self.context(mixed[3])
        for k in (2, 1, 0):
            above = F.interpolate(self.refine[k](mixed[k + 1]), scale_factor=2.0, mode="bilinear")
            mixed[k] = self.on_the_way_down[k](mixed[k] + above)
        for k in (1, 2):
            mixed[k] = self.on_the_way_up[k - 1](mixed[k] + self.shrink[k - 1](mixed[k - 1]))
        return [x + leave(m) for leave, x, m in zip(self.outputs, maps, mixed, strict=True)]
