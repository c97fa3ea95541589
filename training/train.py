"""Train the bundled model. All settings are in `training/config.py`; this is the loop.

    python -m training.train --minutes 100                          a new run (CPU, or one GPU when there is one)
    python -m training.train --resume --minutes 100                 go on where it stopped (also after a crash)
    python -m training.train --init assets/nano.pt --minutes 100    a new run from published weights only
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from sam2.build_sam import _load_checkpoint
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn
from torch.optim import AdamW

from training import model as net
from training.config import Config, Phase
from training.data import Sample, loader
from training.evaluate import evaluate
from training.export import export
from training.losses import answer_loss, shrink
from training.photos import Photo, read_all
from training.prompts import first_prompts, next_clicks

STRIDE = 4  # input pixels per cell of the low-resolution masks


def phase_at(config: Config, progress: float) -> int:
    """The index of the phase at a progress of 0..1."""
    return next((k for k, phase in enumerate(config.phases) if progress < phase.until), len(config.phases) - 1)


def rate(config: Config, step: int, progress: float) -> float:
    """Learning rate: a linear warm-up, a plateau, and half a cosine down to `lr_end` over the last `cooldown`."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    fall = min(max((progress - 1 + config.cooldown) / config.cooldown, 0.0), 1.0)
    return warm * (config.lr_end + (config.lr - config.lr_end) * 0.5 * (1 + math.cos(math.pi * fall)))


def parameter_groups(model: SAM2Base, weight_decay: float) -> list[dict[str, object]]:
    """Weights of linear layers and convolutions decay; biases, norms, embeddings and tokens do not."""
    layers = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    decayed = [m.weight for m in model.modules() if isinstance(m, layers) and m.weight.requires_grad]
    ids = {id(p) for p in decayed}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in ids]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


@torch.no_grad()
def update_ema(ema: SAM2Base, model: SAM2Base, decay: float, step: int) -> None:
    """Move the averaged weights towards the current ones; faster during the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for average, current in zip(ema.parameters(), model.parameters(), strict=True):
        average.lerp_(current, 1 - decay)


def train_step(model: SAM2Base, config: Config, batch: Sample, rng: np.random.Generator) -> dict[str, Tensor]:
    """Forward and backward of one batch: a first prompt, maybe silent clicks, then a corrective click.

    Gradients are left in the parameters. Returns the figures to log.
    """
    device = model.device
    images, prompts = batch["masks"].shape[:2]
    size = batch["image"].shape[1]
    masks = batch["masks"].flatten(0, 1)  # N = images * prompts
    owner = torch.arange(images).repeat_interleave(prompts)
    target = shrink(masks, STRIDE)
    weight = 1 - shrink(batch["ignore"].to(torch.uint8), STRIDE)[owner]
    truth, ignored = target > 0.5, weight <= 0.5
    target, weight, owner = target.to(device), weight.to(device), owner.to(device)
    points, labels = first_prompts(rng, config, masks, batch["centre"].flatten(0, 1), batch["box"].flatten(0, 1))
    box = points.shape[1] == 2
    half = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
    log: dict[str, Tensor] = {}
    with half:
        pixels = net.normalise(batch["image"].to(device, non_blocking=True))
        features = net.encode(model, pixels).select(owner)

        def answer(previous: Tensor | None) -> tuple[Tensor, Tensor]:
            logits, scores = net.decode(model, features, points.to(device), labels.to(device), previous)
            return logits.float(), scores.float()

        logits, scores = answer(None)
        single = 1.0 if box else config.single_first
        loss, iou = answer_loss(config, logits, scores, target, weight, single, multi=1.0)
        log |= {"loss_1": loss.detach(), "best_1": iou[:, 1:].max(1).values.mean()}
        log |= {"picked_1": iou[:, 1:].gather(1, scores[:, 1:].argmax(1, keepdim=True)).mean()}
        log |= {"score_error": (scores.detach() - iou).abs().mean()}
        silent = int(rng.choice(len(config.silent), p=config.silent))
        for click in range(silent + 1):
            with torch.no_grad():
                slot = scores[:, 1:].argmax(1) + 1 if click == 0 and not box else torch.zeros_like(owner)
                previous = logits[torch.arange(len(logits), device=device), slot][:, None].detach()
                more, signs = next_clicks(rng, config, truth, (previous[:, 0] > 0).cpu(), ignored, STRIDE)
            points = torch.cat([points, more.clamp(0, size - 1)], 1)
            labels = torch.cat([labels, signs], 1)
            given = previous if rng.random() < config.feedback else None
            with torch.set_grad_enabled(click == silent):
                logits, scores = answer(given)
        later, iou = answer_loss(config, logits, scores, target, weight, single=1.0, multi=config.multi_later)
        log |= {"loss_n": later.detach(), "single_n": iou[:, 0].mean()}
    (loss + later).backward()
    return log


def batches(photos: list[Photo], config: Config, phase: Phase, step: int, workers: int) -> Iterator[Sample]:
    """An endless iterator over the batches of a phase."""
    return iter(loader(photos, config, phase, step, workers))


def save(path: Path, state: dict[str, object]) -> None:
    """Write a checkpoint so that a crash leaves the old or the new one, never half of one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def train(args: argparse.Namespace, config: Config) -> None:
    """The whole run."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(config.seed)
    args.run.mkdir(parents=True, exist_ok=True)
    model = net.build(args.config)
    net.initialise(model, config.qk_gain)
    _load_checkpoint(model, args.init)
    model.to(device).train()
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = AdamW(parameter_groups(model, config.weight_decay), lr=config.lr, betas=config.betas)
    step, spent = 0, 0.0  # steps and seconds of the whole run, earlier pieces included
    checkpoint = args.run / "last.pt"
    if args.resume and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]

    photos = read_all(args.data / "segments" / "train")
    held_out = read_all(args.data / "segments" / "val")
    budget = args.minutes * 60
    current, stream = -1, iter(())
    rng = np.random.default_rng([config.seed, step, 1])
    sums: dict[str, float] = {}
    last = saved = checked = time.monotonic()

    def keep() -> None:
        save(checkpoint, {
            "model": model.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent,
        })  # fmt: skip
        export(ema, args.out)

    def check(clicks: int, limit: int | None) -> None:
        total, groups = evaluate(ema, held_out, clicks, limit)
        write({"step": step, "minutes": round(spent / 60, 1), "val": total, "sources": {k: v["miou_1"] for k, v in groups.items()}})

    def write(record: dict[str, object]) -> None:
        print(json.dumps(record), flush=True)
        with (args.run / "log.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")

    while spent < budget:
        progress = spent / budget
        if (index := phase_at(config, progress)) != current:
            current, stream = index, batches(photos, config, config.phases[index], step, args.workers)
            for network in (model, ema):
                net.set_size(network, config.phases[index].size)
        for group in optimizer.param_groups:
            group["lr"] = rate(config, step, progress)
        figures = train_step(model, config, next(stream), rng)
        figures["norm"] = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        update_ema(ema, model, config.ema, step)
        step += 1
        now = time.monotonic()
        spent, last = spent + now - last, now
        for key, value in figures.items():
            sums[key] = sums.get(key, 0.0) + float(value) / config.log_steps
        if step % config.log_steps == 0:
            write({"step": step, "minutes": round(spent / 60, 1), "size": model.image_size, **{k: round(v, 4) for k, v in sums.items()}})
            sums = {}
        if now - saved > config.checkpoint_minutes * 60:
            keep()
            saved = time.monotonic()
        if now - checked > config.evaluate_minutes * 60:
            check(clicks=3, limit=2)
            checked = time.monotonic()
    keep()
    check(clicks=8, limit=None)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with segments/train and segments/val")
    parser.add_argument("--config", type=Path, default=Path("assets/nano.yaml"), help="architecture")
    parser.add_argument("--run", type=Path, default=Path("training/runs/nano"), help="folder for checkpoints and the log")
    parser.add_argument("--out", type=Path, default=Path("training/runs/nano/nano.pt"), help="where the averaged weights go")
    parser.add_argument("--init", type=Path, help="start from the weights of this checkpoint")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last checkpoint")
    parser.add_argument("--minutes", type=float, default=100, help="budget of the whole run, earlier pieces included")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes (16 beside a fast GPU)")
    train(parser.parse_args(), Config())


if __name__ == "__main__":
    main()
