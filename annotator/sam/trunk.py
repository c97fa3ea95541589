"""The trunk of the bundled model: EfficientNet-Lite (Tan & Le 2019, arXiv:1905.11946; "Lite" by its authors, 2020).

A convolutional network made for CPUs: inverted bottlenecks with ReLU6, without squeeze-and-excitation. It takes the
place of Hiera in sam2's `ImageEncoder` (`assets/nano.yaml` names it), because weights for it that have seen ImageNet
may be passed on (Apache-2.0), and a trunk trained on a few hundred photos alone sees far less.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (24, 40, 112, 320)
"""Channels of the four maps, at strides 4, 8, 16 and 32."""
_STEM = 32
# Of each stage: blocks, kernel size, stride of its first block, expansion, channels.
_LITE0 = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_TAPS = (1, 2, 4, 6)  # stages whose output is one of the maps


class Conv(nn.Conv2d):
    """A convolution padded as TensorFlow does: with stride 2, one more pixel at the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=0 if stride > 1 else kernel // 2, groups=groups)
        before = (kernel - stride) // 2
        self.pad = (before, kernel - stride - before) * 2 if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]; H and W divisible by the stride."""
        return super().forward(x if self.pad is None else F.pad(x, self.pad))


class Bottleneck(nn.Module):
    """Expand by a 1x1 convolution, filter each channel, project back; added to its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = Conv(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        wide = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(wide)))
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 without its classifier, batch normalisation folded into the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.channel_list = list(reversed(CHANNELS))  # coarse to fine: sam2 compares it with the neck's
        self.stem = Conv(3, _STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        inputs = _STEM
        for blocks, kernel, stride, expansion, outputs in _LITE0:
            stage = [Bottleneck(inputs, outputs, kernel, stride, expansion)]
            stage += [Bottleneck(outputs, outputs, kernel, 1, expansion) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(*stage))
            inputs = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        """Normalised images [B, 3, S, S], S a multiple of 32, to four maps [B, CHANNELS[k], s, s], s = S / 4 / 2**k."""
        x = F.relu6(self.stem(x))
        maps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPS:
                maps.append(x)
        return maps
