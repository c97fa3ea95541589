"""One step: prompts for a batch, the network's answers, and the gradients of their loss."""

from __future__ import annotations

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from training import model as net
from training.config import Config, Phase
from training.data import Sample
from training.losses import answer_loss, edge_loss, shrink, true_iou
from training.prompts import first_prompts, next_clicks

STRIDE = 4  # input pixels per cell of the low-resolution masks


def corrections(config: Config, phase: Phase, step: int) -> int:
    """How many clicks follow the first prompt of a step; only the last one is trained.

    Drawn from the step alone, so that all processes of a run have the same work to do and none waits.
    """
    rng = np.random.default_rng([config.seed, step, 2])
    return int(rng.choice(len(config.silent), p=config.silent)) + 1 if rng.random() < phase.corrected else 0


def train_step(
    model: SAM2Base, config: Config, batch: Sample, phase: Phase, rng: np.random.Generator, clicks: int
) -> dict[str, Tensor]:
    """Forward and backward of one batch: a first prompt and `clicks` further ones, of which the last is trained.

    Gradients are left in the parameters. Returns the figures to log.
    """
    device = model.device
    images, prompts = batch["masks"].shape[:2]
    size = batch["image"].shape[1]
    masks = batch["masks"].flatten(0, 1)  # N = images * prompts
    owner = torch.arange(images).repeat_interleave(prompts)
    seen = masks.to(device, non_blocking=True)
    target = shrink(seen, STRIDE)
    owner = owner.to(device)
    weight = 1 - shrink(batch["ignore"].to(device, torch.uint8), STRIDE)[owner]
    truth, ignored = (target > 0.5).cpu(), (weight <= 0.5).cpu()
    near = batch["near"].flatten(0, 1).to(device)
    beside = seen.flatten(1).gather(1, near[..., 1] * size + near[..., 0])
    points, labels = first_prompts(rng, config, masks, batch["centre"].flatten(0, 1), batch["box"].flatten(0, 1))
    box = points.shape[1] == 2
    gpu = device.type == "cuda"
    # On a CPU bfloat16 pays for the decoder; in the backward pass of convolutions it costs. A CPU without AVX-512 has
    # no such arithmetic: there it makes a step five times as slow.
    in_bfloat16 = gpu or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    with torch.autocast(device.type, torch.bfloat16, enabled=gpu):
        shared = net.encode(model, net.normalise(batch["image"].to(device, non_blocking=True)))
    features = shared.select(owner)

    def answer(previous: Tensor | None) -> tuple[Tensor, Tensor]:
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16):
            logits, scores = net.decode(model, features, points.to(device), labels.to(device), previous)
        return logits.float(), scores.float()

    def judge(logits: Tensor, scores: Tensor, single: float, multi: float) -> tuple[Tensor, Tensor]:
        edge = edge_loss(logits, near, beside, size)
        iou = true_iou(logits, target, weight)
        return answer_loss(config, logits, scores, target, weight, edge, iou, single, multi, phase.balance), iou

    logits, scores = answer(None)
    loss, iou = judge(logits, scores, 1.0 if box else config.single_first, 1.0)
    log = {"loss_1": loss.detach(), "best_1": iou[:, 1:].max(1).values.mean()}
    log |= {"picked_1": iou[:, 1:].gather(1, scores[:, 1:].argmax(1, keepdim=True)).mean()}
    log |= {"score_error": (scores.detach() - iou).abs().mean()}
    if not clicks:
        torch.autograd.backward(loss)
        return log
    for click in range(clicks):
        with torch.no_grad():
            slot = scores[:, 1:].argmax(1) + 1 if click == 0 and not box else torch.zeros_like(owner)
            previous = logits[torch.arange(len(logits), device=device), slot][:, None].detach()
            more, signs = next_clicks(rng, config, truth, (previous[:, 0] > 0).cpu(), ignored, STRIDE)
        points = torch.cat([points, more.clamp(0, size - 1)], 1)
        labels = torch.cat([labels, signs], 1)
        given = previous if rng.random() < config.feedback else None
        with torch.set_grad_enabled(click == clicks - 1):
            logits, scores = answer(given)
    later, iou = judge(logits, scores, 1.0, config.multi_later)
    log |= {"loss_n": later.detach(), "single_n": iou[:, 0].mean()}
    torch.autograd.backward(loss + later)
    return log
