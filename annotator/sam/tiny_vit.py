"""The trunk of the bundled model: TinyViT (Wu et al. 2022, arXiv:2207.10666), the one of MobileSAM (arXiv:2306.14289).

Convolutions at strides 4 and 8, attention within windows at strides 8 and 16. It takes the place of Hiera in sam2's
`ImageEncoder` (`assets/nano.yaml` names it).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HEAD = 32
# Of each stage: input and output channels, blocks, side of a window in cells, stride of the ConvBlock it starts with.
_STAGES = ((64, 128, 2, 7, 2), (128, 160, 6, 14, 2), (160, 320, 2, 7, 1))


class ConvBlock(nn.Module):
    """An inverted bottleneck with GELU: expand by 1x1, filter each channel by 3x3, project back by 1x1.

    With stride 1 and equal channels the input is added, and a last GELU follows. Otherwise neither.
    """

    def __init__(self, inputs: int, wide: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, wide, 1)
        self.depthwise = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide)
        self.project = nn.Conv2d(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        out: Tensor = self.project(F.gelu(self.depthwise(F.gelu(self.expand(x)))))
        return F.gelu(x + out) if self.residual else out


class WindowAttention(nn.Module):
    """Attention among the cells of each window. A bias is learnt for each head and distance (in rows, in columns)."""

    distance: Tensor

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.heads = channels // _HEAD
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias = nn.Parameter(torch.zeros(self.heads, window * window))
        cells = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        apart = (cells[:, None] - cells[None]).abs()
        self.register_buffer("distance", apart[..., 0] * window + apart[..., 1], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, H, W, channels] -> the same. Windows that reach beyond the image are filled up with zeros."""
        batch, height, width, channels = x.shape
        window = self.window
        x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
        rows, columns = x.shape[1] // window, x.shape[2] // window
        x = x.reshape(batch, rows, window, columns, window, channels).transpose(2, 3)
        x = self.norm(x.reshape(-1, window * window, channels))
        q, k, v = self.qkv(x).unflatten(-1, (self.heads, 3 * _HEAD)).transpose(1, 2).chunk(3, -1)
        x = F.scaled_dot_product_attention(q, k, v, self.bias[None, :, self.distance].to(q.dtype))
        x = self.proj(x.transpose(1, 2).flatten(2))
        x = x.reshape(batch, rows, columns, window, window, channels).transpose(2, 3)
        return x.reshape(batch, rows * window, columns * window, channels)[:, :height, :width]


class WindowBlock(nn.Module):
    """Window attention, a 3x3 filter of each channel and a two-layer perceptron."""

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.attention = WindowAttention(channels, window)
        self.local = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> the same."""
        cells = x.permute(0, 2, 3, 1)
        cells = cells + self.attention(cells)
        cells = self.local(cells.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        cells = cells + self.mlp(cells)
        mixed: Tensor = cells.permute(0, 3, 1, 2)
        return mixed


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of [B, C, H, W] over C. sam2's `LayerNorm2d` squares in float16, which overflows at 256."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class TinyViT(nn.Module):
    """TinyViT-5M without its classifier, batch normalisation folded, under the neck of SAM.

    `channel_list` are the channels of its maps, coarse to fine, as sam2 compares them with its neck's.
    """

    channel_list = (256, 128, 64)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.GELU(), nn.Conv2d(32, 64, 3, 2, 1))
        self.convolutions = nn.Sequential(ConvBlock(64, 256, 64), ConvBlock(64, 256, 64))
        self.stages = nn.ModuleList(
            nn.Sequential(
                ConvBlock(inputs, outputs, outputs, stride), *(WindowBlock(outputs, window) for _ in range(blocks))
            )
            for inputs, outputs, blocks, window, stride in _STAGES
        )
        self.neck = nn.Sequential(
            nn.Conv2d(320, 256, 1, bias=False),
            ChannelNorm(256, eps=1e-6),
            nn.Conv2d(256, 256, 3, padding=1, bias=False),
            ChannelNorm(256, eps=1e-6),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Normalised images [B, 3, S, S], S a multiple of 16, to maps [B, 64, S/4, S/4], [B, 128, S/8, S/8] and
        [B, 256, S/16, S/16]."""
        fine = self.convolutions(self.stem(x))
        middle = self.stages[0](fine)
        return [fine, middle, self.neck(self.stages[2](self.stages[1](middle)))]
