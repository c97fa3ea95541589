"""Arrays to a device and back. For a GPU, large ones pass through page-locked memory, which torch keeps for reuse: such
copies are faster, and the host need not wait for those to the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from annotator.types import AnyArray

_LARGE = 1 << 16
"""Bytes. CUDA stages smaller arrays by itself without waiting, which is quicker than finding page-locked memory."""


def to_device(values: AnyArray, device: torch.device) -> Tensor:
    """A tensor on `device`, without waiting for what is queued there. On the CPU it shares the array's memory."""
    tensor = torch.from_numpy(np.require(values, requirements=["C", "W"]))
    if device.type == "cuda" and values.nbytes > _LARGE:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def to_host(tensors: Sequence[Tensor]) -> list[AnyArray]:
    """Tensors of 4 bytes a value, as arrays, in one copy; a GPU is waited for once."""
    packed = torch.cat([each.contiguous().view(torch.int32).flatten() for each in tensors])
    host = torch.empty_like(packed, device="cpu", pin_memory=packed.is_cuda).copy_(packed)
    parts = torch.split(host, [each.numel() for each in tensors])
    # Copies, so that keeping one array does not keep the memory of all.
    return [part.view(each.dtype).view(each.shape).numpy().copy() for part, each in zip(parts, tensors, strict=True)]
