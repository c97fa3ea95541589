"""The image encoder's widest matrix products in float8, through torchao: for GPUs whose tensor cores take it.

Weights are float8 (e4m3) with one scale each; activations are scaled anew each time, a whole batch of images alike.
All else stays float16. One scale a row would be more precise, but torchao has it for bfloat16 only, whose 8 bits of
mantissa cost the rest more.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

import torch
from torch import nn

from annotator.errors import ModelUnavailable

_LEAST_WIDTH = 256
"""Narrower products wait for memory rather than arithmetic, and scaling their activations is one pass more. In Hiera
these are the first stages: 5 % of the multiplications in large, 30 % in tiny."""

_LEAST_CAPABILITY = (8, 9)


def check_device(device: torch.device) -> None:
    """Raises ModelUnavailable unless the device multiplies float8 matrices."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < _LEAST_CAPABILITY:
        raise ModelUnavailable("float8 needs an NVIDIA GPU of compute capability 8.9 or newer, such as an H100.")


def recipe() -> dict[str, str | int]:
    """What float8 means here, for the manifest of packages."""
    return {"torchao": version("torchao"), "scale": "tensor", "least_width": _LEAST_WIDTH}


def quantize(encoder: nn.Module) -> int:
    """Quantize the wide `nn.Linear` layers in place; returns how many there are. Raises ModelUnavailable if none."""
    # torchao says on import which of its own kernels do not fit this torch; none of them is used here.
    logging.getLogger("torchao").setLevel(logging.ERROR)
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerTensor, quantize_
    from torchao.quantization.quantize_.common import KernelPreference

    wide = {name for name, each in encoder.named_modules() if isinstance(each, nn.Linear) and _is_wide(each)}
    if not wide:
        raise ModelUnavailable("This model has no layers wide enough for float8; use float16.")
    config = Float8DynamicActivationFloat8WeightConfig(
        granularity=PerTensor(), set_inductor_config=False, kernel_preference=KernelPreference.TORCH
    )
    quantize_(encoder, config, filter_fn=lambda _, name: name in wide)
    return len(wide)


def _is_wide(layer: nn.Linear) -> bool:
    sizes = (layer.in_features, layer.out_features)
    return min(sizes) >= _LEAST_WIDTH and all(each % 16 == 0 for each in sizes)  # what the tensor cores take
