"""Writing the weights to publish: `{"model": state_dict}`, float16, loadable by official sam2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

MAX_BYTES = 24_000_000


def export(model: SAM2Base, path: Path) -> None:
    """Write the model's weights as `write` does."""
    write(model.state_dict(), path)


def write(state: Mapping[str, Tensor], path: Path) -> None:
    """Write weights as float16; refuses those that overflow and files beyond the size limit."""
    weights = {key: value.detach().cpu().half().contiguous() for key, value in state.items()}
    for key, value in weights.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{key} is not finite in float16")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"model": weights}, part)
    if part.stat().st_size > MAX_BYTES:
        raise ValueError(f"{part} has {part.stat().st_size} bytes, more than {MAX_BYTES}")
    part.replace(path)
