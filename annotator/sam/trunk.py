"""The trunk of the bundled model: EfficientNet-Lite (Tan & Le 2019, arXiv:1905.11946; "Lite" by its authors, 2020).

A convolutional network made for CPUs: inverted bottlenecks with ReLU6, without squeeze-and-excitation. It takes the
place of Hiera in sam2's `ImageEncoder` (`assets/nano.yaml` names it), because weights for it that have seen ImageNet
may be passed on (Apache-2.0), and a trunk trained on a few thousand photos alone sees far less.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from annotator.sam.mixer import Mixer

_STEM = 32
# Of each stage of Lite0: blocks, kernel size, stride of its first block, expansion, channels.
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
# Factors of width and depth; the stem, and the depth of the first and the last stage, stay as they are.
_SCALES = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}


def _stages(version: str) -> list[tuple[int, int, int, int, int]]:
    """The table of a version: channels rounded to a multiple of 8 that is at least 90 % of what is asked for."""
    width, depth = _SCALES[version]
    table = []
    for index, (blocks, kernel, stride, expansion, channels) in enumerate(_LITE0):
        wanted = channels * width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        rounded += 8 if rounded < 0.9 * wanted else 0
        if 0 < index < len(_LITE0) - 1:
            blocks = math.ceil(blocks * depth)
        table.append((blocks, kernel, stride, expansion, rounded))
    return table


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
    """EfficientNet-Lite without its classifier, batch normalisation folded into the convolutions.

    `channels` are those of its four maps, at strides 4, 8, 16 and 32.
    """

    def __init__(self, version: str = "lite0", mixed: bool = False) -> None:
        """`version` is "lite0" or "lite2"; `mixed` adds a `Mixer`, through which the scales see each other."""
        super().__init__()
        self.version = version
        self.stem = Conv(3, _STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        inputs = _STEM
        channels = []
        for index, (blocks, kernel, stride, expansion, outputs) in enumerate(_stages(version)):
            stage = [Bottleneck(inputs, outputs, kernel, stride, expansion)]
            stage += [Bottleneck(outputs, outputs, kernel, 1, expansion) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(*stage))
            inputs = outputs
            if index in _TAPS:
                channels.append(outputs)
        self.channels = tuple(channels)
        self.channel_list = channels[::-1]  # coarse to fine: sam2 compares it with the neck's
        self.mixer = Mixer(self.channels) if mixed else None

    def forward(self, x: Tensor) -> list[Tensor]:
        """Normalised images [B, 3, S, S], S a multiple of 32, to four maps [B, channels[k], s, s], s = S / 4 / 2**k."""
        x = F.relu6(self.stem(x))
        maps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPS:
                maps.append(x)
        return maps if self.mixer is None else self.mixer(maps)
