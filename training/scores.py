"""The last step: the head that predicts each mask's IoU, fitted to masks as people see them.

python -m training.scores WEIGHTS.pt --out SCORED.pt

Everything else stays as it is, so the network answers prompts on whole training photos once (no gradient, no crops,
sources as often as in training), and the head is fitted to what came of it: the IoU of each mask without holes and
specks. Photos kept apart decide when to stop. Masks do not change, only their scores and hence their order.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from annotator.sam.cleaning import clean
from annotator.sam.preprocess import preprocess
from annotator.sam.zoo import MODELS
from annotator.types import Point, Prompt
from training import model as net
from training.config import SOURCES, Config
from training.export import export
from training.losses import shrink, true_iou
from training.photos import Photo, PhotoFile, Rng, read_train, resize_nearest
from training.prompts import anywhere_in, centre_of, next_clicks
from training.step import STRIDE

REGIONS = 8  # of a photo
CENTRE = 0.85  # share of clicks at the point farthest from the border; the others fall anywhere in the region
SHARPNESS = 4.0  # how much more likely a higher score is to be picked, in the expected IoU of the pick
KEPT_APART = 8  # every so many photos decide when to stop
EPOCHS, BATCH, RATE, DECAY = 60, 256, 3e-4, 0.1


@dataclass(frozen=True)
class Answers:
    """What came of N prompts: the head's input N x 256, the true IoU of the four masks N x 4, and which are clicks."""

    tokens: Tensor
    ious: Tensor
    ambiguous: Tensor  # N, bool: a single click, whose three candidates are shown by score

    @staticmethod
    def join(parts: Iterable[Answers]) -> Answers:
        """All of them."""
        columns = zip(*((each.tokens, each.ious, each.ambiguous) for each in parts), strict=True)
        return Answers(*(torch.cat(column) for column in columns))


@cache
def loaded(weights: Path) -> SAM2Base:
    """The network to ask; each process loads its own."""
    torch.set_num_threads(1)
    return net.load(weights)


def ask_file(weights: Path, file: PhotoFile, seed: int) -> list[np.ndarray]:
    """The answers about a photo as arrays, which other processes can take; none if it has no region to ask for."""
    found = ask(loaded(weights), file.decode(), np.random.default_rng(seed), MODELS["nano"].speck_share)
    return [] if found is None else [each.numpy() for each in (found.tokens, found.ious, found.ambiguous)]


@torch.inference_mode()
def ask(model: SAM2Base, photo: Photo, rng: Rng, share: float) -> Answers | None:
    """Answers about some regions of a photo: to a click, to a second one, and to a box."""
    size = model.image_size
    regions = rng.permutation(photo.regions(0.004))[:REGIONS]
    if not len(regions):
        return None
    masks = np.stack([resize_nearest((photo.labels == each).view(np.uint8), size, size) for each in regions])
    weight = 1 - shrink(torch.from_numpy(resize_nearest(photo.ignore.view(np.uint8), size, size))[None], STRIDE)
    weight = weight.expand(len(masks), -1, -1)
    target = shrink(torch.from_numpy(masks), STRIDE)
    one = net.encode(model, preprocess([photo.image], size, model.device, torch.float32))
    features = one.select(torch.zeros(len(masks), dtype=torch.long))
    seen: list[Tensor] = []
    handle = model.sam_mask_decoder.iou_prediction_head.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    found: list[tuple[Tensor, Tensor]] = []

    def answer(points: Tensor, labels: Tensor, previous: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logits, scores = net.decode(model, features, points, labels, previous)
        iou = true_iou(cleaned(logits, share, points, labels, size), target, weight)
        found.append((iou, torch.full((len(iou),), points.shape[1] == 1)))
        return logits, scores

    places = [centre_of(each) if rng.random() < CENTRE else anywhere_in(rng, each) for each in masks]
    first, positive = torch.tensor(places)[:, None], torch.ones(len(masks), 1, dtype=torch.long)
    logits, scores = answer(first, positive)
    ys, xs = ([np.flatnonzero(each.any(axis)) for each in masks] for axis in (1, 0))
    box = [[(x[0], y[0]), (x[-1] + 1, y[-1] + 1)] for x, y in zip(xs, ys, strict=True)]
    answer(torch.from_numpy(np.array(box, np.float32)), torch.tensor([[2, 3]]).expand(len(masks), -1))
    previous = logits[torch.arange(len(masks)), scores[:, 1:].argmax(1) + 1][:, None]
    ignored = weight <= 0.5
    more, signs = next_clicks(rng, Config(centre=1.0), target > 0.5, previous[:, 0] > 0, ignored, STRIDE)
    answer(torch.cat([first, more], 1), torch.cat([positive, signs], 1), previous)
    handle.remove()
    ious, ambiguous = zip(*found, strict=True)
    return Answers(torch.cat(seen), torch.cat(ious), torch.cat(ambiguous))


def cleaned(logits: Tensor, share: float, points: Tensor, labels: Tensor, size: int) -> Tensor:
    """Logits N x M x h x w of the answers to N prompts, as a person sees them: without holes and specks of `share`."""
    prompts = [
        Prompt(tuple(Point(x, y, label) for (x, y), label in zip(xy, signs, strict=True) if label < 2))
        for xy, signs in zip(points.tolist(), labels.tolist(), strict=True)
        for _ in range(logits.shape[1])
    ]
    return clean(logits.flatten(0, 1), share, prompts, size, size).view_as(logits)


def loss_of(scores: Tensor, answers: Answers) -> Tensor:
    """Cross-entropy of the scores with the IoU, less the IoU expected of the candidate that is picked after a click."""
    chances = scores.clamp(1e-4, 1 - 1e-4)
    honest = F.binary_cross_entropy(chances, answers.ious)
    odds = F.softmax(torch.logit(chances[:, 1:]) * SHARPNESS, 1)
    picked = (odds * answers.ious[:, 1:]).sum(1)[answers.ambiguous].mean()
    return honest - picked


@torch.no_grad()
def figures(head: nn.Module, answers: Answers) -> dict[str, float]:
    """Loss, the IoU of the picked candidate after a click, that of the best of three, and the correlation of scores."""
    scores = head(answers.tokens)
    three, ious = scores[answers.ambiguous, 1:], answers.ious[answers.ambiguous, 1:]
    picked = ious.gather(1, three.argmax(1, keepdim=True)).squeeze(1)
    both = torch.stack([three.max(1).values, picked])
    return {
        "loss": float(loss_of(scores, answers)),
        "picked": float(picked.mean()),
        "best": float(ious.max(1).values.mean()),
        "correlation": float(torch.corrcoef(both)[0, 1]),
    }


def fit(head: nn.Module, train: Answers, apart: Answers) -> nn.Module:
    """The head after the epoch that does best on the answers kept apart."""
    torch.manual_seed(0)
    best, least = copy.deepcopy(head), figures(head, apart)["loss"]
    print("before", figures(head, train), figures(head, apart))
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY)
    for epoch in range(EPOCHS):
        for index in torch.split(torch.randperm(len(train.ious)), BATCH):
            batch = Answers(train.tokens[index], train.ious[index], train.ambiguous[index])
            optimizer.zero_grad()
            torch.autograd.backward(loss_of(head(batch.tokens), batch))
            optimizer.step()
        now = figures(head, apart)
        if now["loss"] < least:
            best, least = copy.deepcopy(head), now["loss"]
            print("epoch", epoch + 1, figures(head, train), now, flush=True)
    return best


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photos", type=int, default=1500)
    parser.add_argument("--processes", type=int, default=1, help="that ask the network; each takes one thread")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    files = read_train(args.data)
    count = Counter(file.source for file in files)
    chance = np.array([SOURCES.get(file.source, 1.0) / count[file.source] for file in files])
    order = rng.choice(len(files), min(args.photos, len(files)), replace=False, p=chance / chance.sum())
    groups: tuple[list[Answers], list[Answers]] = ([], [])
    with ProcessPoolExecutor(args.processes, get_context("spawn")) as pool:
        asked = pool.map(partial(ask_file, args.model), [files[k] for k in order], range(len(order)))
        for index, answers in enumerate(asked):
            if answers:
                groups[index % KEPT_APART == 0].append(Answers(*map(torch.from_numpy, answers)))
    if not all(groups):
        parser.error("Too few of these photos have regions: give more --photos.")
    model = net.load(args.model)
    decoder = model.sam_mask_decoder
    decoder.iou_prediction_head = fit(decoder.iou_prediction_head, *map(Answers.join, groups))
    export(model, args.out)


if __name__ == "__main__":
    main()
