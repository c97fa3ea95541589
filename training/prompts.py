"""Prompts: where a person would click. Coordinates are pixels (x, y) of the image the mask belongs to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.config import Config
from training.photos import Rng


def deepest(mask: NDArray[np.uint8]) -> tuple[float, float, float]:
    """The (x, y) of a mask's pixel (H x W, 0/1) farthest from the border, and how far; the image's edge is a border."""
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x - 1), float(y - 1), float(depth[y, x])


def centre_of(mask: NDArray[np.uint8]) -> tuple[float, float]:
    """The (x, y) of the pixel farthest from the border of a mask."""
    return deepest(mask)[:2]


def anywhere_in(rng: Rng, mask: NDArray[np.uint8]) -> tuple[float, float]:
    """A random pixel of a mask that is not empty."""
    inside = np.flatnonzero(mask)
    y, x = divmod(int(inside[rng.integers(len(inside))]), mask.shape[1])
    return float(x), float(y)


def correction(
    target: NDArray[np.bool_], answer: NDArray[np.bool_], ignore: NDArray[np.bool_] | None, rng: Rng | None
) -> tuple[float, float, int]:
    """The next click after an answer (all H x W): (x, y, label).

    It falls in the deeper of the missed and the wrongly taken area, at its deepest point, or anywhere in it when `rng`
    is given. A perfect answer gets one more positive click.
    """
    missed, taken = target & ~answer, answer & ~target
    if ignore is not None:
        missed, taken = missed & ~ignore, taken & ~ignore
    mx, my, missed_depth = deepest(missed.view(np.uint8))
    tx, ty, taken_depth = deepest(taken.view(np.uint8))
    if missed_depth == 0 and taken_depth == 0:
        return (*centre_of(target.astype(np.uint8)), 1)
    label = int(missed_depth >= taken_depth)
    if rng is not None:
        return (*anywhere_in(rng, (missed if label else taken).view(np.uint8)), label)
    return (mx, my, 1) if label else (tx, ty, 0)


def first_prompts(rng: Rng, config: Config, masks: Tensor, centre: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """First prompts of one step, all clicks or all boxes.

    masks N x S x S, centre N x 2, box N x 4. Returns points N x K x 2 and labels N x K, K = 1 (click) or 2 (box).
    """
    count, size = len(masks), masks.shape[-1]
    if rng.random() < config.box:
        side = torch.stack([box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]], 1).repeat(1, 2)
        noise = torch.from_numpy(rng.normal(0, config.box_noise, (count, 4)).clip(-0.25, 0.25)).float()
        noisy = (box + noise * side * float(rng.random() < 0.8)).clamp(0, size - 1)
        return noisy.view(count, 2, 2), torch.tensor([2, 3]).repeat(count, 1)
    points = centre.clone()
    for k in np.flatnonzero(rng.random(count) >= config.centre):
        points[k] = torch.tensor(anywhere_in(rng, masks[k].numpy()))
    return points[:, None], torch.ones(count, 1, dtype=torch.long)


def next_clicks(
    rng: Rng, config: Config, target: Tensor, answer: Tensor, ignore: Tensor, stride: int
) -> tuple[Tensor, Tensor]:
    """Corrective clicks for N answers (target, answer, ignore: bool N x h x w on a grid of `stride` input pixels).

    Returns points N x 1 x 2 in input pixels and labels N x 1.
    """
    seeds = [None if rng.random() < config.centre else int(rng.integers(1 << 32)) for _ in target]

    def click(index: int) -> tuple[float, float, int]:
        seed = seeds[index]
        own = None if seed is None else np.random.default_rng(seed)
        return correction(target[index].numpy(), answer[index].numpy(), ignore[index].numpy(), own)

    with ThreadPoolExecutor(min(len(target) // 32 + 1, 12)) as pool:  # beside a GPU there are hundreds of them
        clicks = list(pool.map(click, range(len(target))))
    points = torch.tensor([[x, y] for x, y, _ in clicks])
    shift = torch.from_numpy(rng.uniform(0, stride, (len(clicks), 2))).float() - 0.5 if stride > 1 else 0.0
    return (points * stride + shift)[:, None], torch.tensor([[label] for _, _, label in clicks])
