"""Click quality of a model on a folder of photos with masks, by the protocol of interactive segmentation.

First click at the point of the region farthest from its border, each next one likewise in the largest error. After one
click the answer is the candidate with the best score, after more the single mask (or the best candidate where the
single one is unstable, as the official predictor decides). Regions under 0.5 % of the image are skipped.

    python -m training.evaluate ../shared/data/segments/val --model assets/nano.pt
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sam2.build_sam import _load_checkpoint
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from training import model as net
from training.photos import Photo, PhotoFile, read_folder
from training.prompts import centre_of, correction

MIN_AREA = 0.005
Grid = NDArray[np.bool_]


def iou(first: Grid, second: Grid, valid: Grid) -> float:
    """IoU of two masks over the valid pixels; 1 when both are empty."""
    either = int(((first | second) & valid).sum())
    return int((first & second & valid).sum()) / either if either else 1.0


def settle(model: SAM2Base, logits: Tensor, scores: Tensor, clicks: int) -> tuple[Tensor, int]:
    """The answer a user sees (1 x 1 x h x w) and its slot, from logits 1 x 4 x h x w and scores 1 x 4."""
    best = 1 + int(scores[0, 1:].argmax())
    if clicks == 1:
        return logits[:, best : best + 1], best
    decoder = model.sam_mask_decoder
    stable = float(decoder._get_stability_scores(logits[:, :1])) >= decoder.dynamic_multimask_stability_thresh
    slot = 0 if stable else best
    return logits[:, slot : slot + 1], slot


@dataclass
class Record:
    """What came of clicking on one region of a photo (H x W)."""

    photo: Photo
    ious: list[float]  # after 1, 2, 3.. clicks
    three: list[float]  # IoU of the three candidates after the first click
    scores: list[float]  # their predicted scores
    answer: Grid  # H x W: the answer to the first click


def prepare(photo: Photo, size: int) -> Tensor:
    """The photo as the network takes it: 1 x 3 x size x size, squashed to a square, normalised."""
    pixels = torch.from_numpy(photo.image).permute(2, 0, 1)[None].float() / 255
    square = F.interpolate(pixels, (size, size), mode="bilinear", align_corners=False, antialias=True)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (net.MEAN, net.STD))
    return (square - mean) / std


@torch.inference_mode()
def click_region(model: SAM2Base, features: net.Features, photo: Photo, region: int, clicks: int) -> Record:
    """Click `clicks` times on one region of a photo whose features are given."""
    height, width = photo.labels.shape
    scale = np.array([model.image_size / width, model.image_size / height])
    target, valid = photo.labels == region, ~photo.ignore
    record = Record(photo, [], [], [], np.zeros_like(target))
    answer = record.answer
    points: list[list[float]] = []
    labels: list[int] = []
    previous: Tensor | None = None
    for click in range(1, clicks + 1):
        x, y, label = (
            (*centre_of(target.view(np.uint8)), 1) if click == 1 else correction(target, answer, photo.ignore, None)
        )
        points.append((np.array([x, y]) * scale).tolist())
        labels.append(label)
        prompt = (
            torch.tensor([points], dtype=torch.float32, device=model.device),
            torch.tensor([labels], device=model.device),
        )
        logits, scores = net.decode(model, features, *prompt, previous)
        previous, slot = settle(model, logits, scores, click)
        full = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)[0].cpu().numpy() > 0
        answer = full[slot]
        record.ious.append(iou(answer, target, valid))
        if click == 1:
            record.three = [iou(full[k], target, valid) for k in (1, 2, 3)]
            record.scores, record.answer = scores[0, 1:].tolist(), answer
    return record


def run_photo(model: SAM2Base, photo: Photo, clicks: int, limit: int | None, rng: np.random.Generator) -> list[Record]:
    """Records of the regions of one photo, or of `limit` random ones."""
    with torch.inference_mode():
        features = net.encode(model, prepare(photo, model.image_size).to(model.device))
    regions = photo.regions(MIN_AREA)
    if limit is not None and len(regions) > limit:
        regions = [regions[k] for k in rng.permutation(len(regions))[:limit]]
    return [click_region(model, features, photo, region, clicks) for region in regions]


def sameness(records: list[Record]) -> float:
    """Mean IoU between first answers to clicks on different regions of one photo: near 1 when clicks are ignored."""
    by_photo: dict[str, list[Grid]] = defaultdict(list)
    for record in records:
        by_photo[record.photo.name].append(record.answer)
    pairs = [
        iou(a, b, np.ones_like(a)) for answers in by_photo.values() for k, a in enumerate(answers) for b in answers[:k]
    ]
    return float(np.mean(pairs)) if pairs else 0.0


def summarise(records: list[Record]) -> dict[str, float]:
    """Figures of a list of records: mean IoU after n clicks, IoU of the best candidate, clicks to 0.8, and so on."""
    curve = np.array([r.ious for r in records])
    three, scores = np.array([r.three for r in records]), np.array([r.scores for r in records])
    reached = curve >= 0.8
    needed = np.where(reached.any(1), reached.argmax(1) + 1, curve.shape[1])
    out = {f"miou_{n}": float(curve[:, n - 1].mean()) for n in (1, 2, 3, 5, 8) if n <= curve.shape[1]}
    out |= {
        "best_of_3": float(three.max(1).mean()),
        "noc80": float(needed.mean()),
        "score_corr": float(np.corrcoef(scores.ravel(), three.ravel())[0, 1])
        if scores.std() > 0 < three.std()
        else 0.0,
        "sameness": sameness(records),
        "regions": len(records),
    }
    return {k: round(v, 4) for k, v in out.items()}


def evaluate(
    model: SAM2Base, photos: list[PhotoFile], clicks: int = 3, limit: int | None = None
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures over all regions, and per source. `limit` bounds the regions taken from one photo (a quick check)."""
    rng = np.random.default_rng(0)
    training = model.training
    model.eval()
    records = [record for photo in photos for record in run_photo(model, photo.decode(), clicks, limit, rng)]
    model.train(training)
    by_source: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_source[record.photo.source].append(record)
    return summarise(records), {source: summarise(group) for source, group in sorted(by_source.items())}


def main() -> None:
    """Print a table per source, and all figures as JSON on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", type=Path, default=Path("assets/nano.yaml"))
    parser.add_argument("--model", type=Path, help="checkpoint; without it, random weights")
    parser.add_argument("--clicks", type=int, default=3)
    parser.add_argument("--limit", type=int, help="regions a photo at most")
    parser.add_argument("--size", type=int, help="input size, default the model's")
    args = parser.parse_args()
    model = net.build(args.config, args.size)
    _load_checkpoint(model, args.model)
    total, groups = evaluate(model, read_folder(args.folder), args.clicks, args.limit)
    for name, figures in [*groups.items(), ("all", total)]:
        print(f"{name:8}", *(f"{k} {v:g}" for k, v in figures.items()))
    print(json.dumps(total))


if __name__ == "__main__":
    main()
