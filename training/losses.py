"""Losses of one answer: best of three candidates, the single mask, and honest scores."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.config import Config


def shrink(masks: Tensor, stride: int) -> Tensor:
    """Masks N x S x S to the share of each cell they cover: float N x S/stride x S/stride, 0..1."""
    return F.avg_pool2d(masks[:, None].float(), stride)[:, 0]


def mask_loss(config: Config, logits: Tensor, target: Tensor, weight: Tensor, balance: float) -> Tensor:
    """BCE + dice of logits N x M x h x w against soft targets N x h x w, pixels weighted 0..1: N x M.

    `balance` (0..1) is the share of the BCE that counts the region and its surroundings alike, whatever their sizes:
    without it, "nothing" is so good an answer to small regions that the network is slow to leave it.
    """
    truth, weight = target[:, None], weight[:, None]
    inside, outside = truth * weight, (1 - truth) * weight
    parts = [(1 - balance, weight), (balance / 2, inside), (balance / 2, outside)]
    share = sum(part * w / w.sum((2, 3), keepdim=True).clamp(min=1) for part, w in parts)
    bce = (F.softplus(logits) - logits * truth) * share
    chance = logits.sigmoid() * weight
    overlap = (chance * truth).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (chance.sum((2, 3)) + inside.sum((2, 3)) + 1)
    return config.bce * bce.sum((2, 3)) + config.dice * dice


def edge_loss(logits: Tensor, near: Tensor, truth: Tensor, size: int) -> Tensor:
    """BCE + dice at pixels near the border, at the resolution of the photo: N x M.

    logits N x M x h x w of square images of `size` pixels; near N x K x 2 pixels (x, y); truth N x K, 0/1. Few points
    see every border as sharply as an upsampled mask would (PointRend, Kirillov et al. 2020, arXiv:1912.08193).
    """
    grid = (near[:, None] + 0.5) * (2 / size) - 1
    found = F.grid_sample(logits, grid.to(logits.dtype), padding_mode="border", align_corners=False)[:, :, 0]
    wanted = truth[:, None].to(logits.dtype)
    chance = found.sigmoid()
    dice = 1 - (2 * (chance * wanted).sum(2) + 1) / (chance.sum(2) + wanted.sum(2) + 1)
    return (F.softplus(found) - found * wanted).mean(2) + dice


@torch.no_grad()
def true_iou(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """IoU of the thresholded masks N x M x h x w with targets N x h x w: N x M, 0..1."""
    answer, truth, counts = logits > 0, (target > 0.5)[:, None], (weight > 0.5)[:, None]
    both = (answer & truth & counts).sum((2, 3))
    either = ((answer | truth) & counts).sum((2, 3))
    return both / either.clamp(min=1)


def answer_loss(
    config: Config,
    logits: Tensor,
    scores: Tensor,
    target: Tensor,
    weight: Tensor,
    edge: Tensor,
    iou: Tensor,
    single: float,
    multi: float,
    balance: float,
) -> Tensor:
    """The loss of one answer: logits N x 4 x h x w, scores N x 4.

    `edge` is its `edge_loss`, `iou` the true IoU of its four masks, N x 4. `single` weighs the single mask (slot 0),
    `multi` the best of the three candidates and the one that would be shown.
    """
    each = mask_loss(config, logits, target, weight, balance) + config.edge * edge
    shown = each[:, 1:].gather(1, scores[:, 1:].argmax(1, keepdim=True))
    best = each[:, 1:].min(1).values.mean() + config.all_slots * each[:, 1:].mean() + config.shown * shown.mean()
    chances = scores.float().clamp(1e-4, 1 - 1e-4)
    # Written out: autocast forbids `binary_cross_entropy`, whatever the dtype of its input.
    score = -(iou * chances.log() + (1 - iou) * (1 - chances).log()).mean()
    return single * each[:, 0].mean() + multi * best + config.score * score
