"""How the weights move: the learning rate over time, the groups of parameters, and averages."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import distributed as dist
from torch import nn

from training.config import Config


def rate(config: Config, step: int, progress: float) -> float:
    """Learning rate: a linear warm-up, a plateau, and half a cosine down to `lr_end` over the last `cooldown`."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    fall = min(max((progress - 1 + config.cooldown) / config.cooldown, 0.0), 1.0)
    return warm * (config.lr_end + (config.lr - config.lr_end) * 0.5 * (1 + math.cos(math.pi * fall)))


def parameter_groups(model: SAM2Base, config: Config) -> list[dict[str, object]]:
    """Weights of linear layers and convolutions decay; biases, norms, embeddings and tokens do not.

    `rate` is a group's learning rate in parts of the run's.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    decayed = {id(m.weight) for m in layers}
    trunk = {id(p) for p in model.image_encoder.trunk.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
    for p in model.parameters():
        if p.requires_grad:
            groups[id(p) in decayed, id(p) in trunk].append(p)
    return [
        {
            "params": parameters,
            "weight_decay": config.weight_decay if decays else 0.0,
            "rate": config.trunk_rate if in_trunk else 1.0,
        }
        for (decays, in_trunk), parameters in groups.items()
    ]


@torch.no_grad()
def share(model: SAM2Base, spent: float) -> float:
    """Average the gradients, and the time spent, over all processes of the run; the average time is returned."""
    trained = [p for p in model.parameters() if p.requires_grad]
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in trained]
    flat = torch.cat([*(g.flatten() for g in grads), torch.tensor([spent], device=model.device)])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for parameter, mean in zip(trained, torch.split(flat, [*(g.numel() for g in grads), 1]), strict=False):
        parameter.grad = mean.view_as(parameter)
    return float(flat[-1])


@torch.no_grad()
def update_ema(ema: SAM2Base, model: SAM2Base, decay: float, step: int) -> None:
    """Move the averaged weights towards the current ones; faster during the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for average, current in zip(ema.parameters(), model.parameters(), strict=True):
        average.lerp_(current, 1 - decay)
