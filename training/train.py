"""Train the bundled model. All settings are in `training/config.py`; this is the loop.

python -m training.train --init WEIGHTS.pt --minutes 100    a new run (CPU, or one GPU when there is one)
python -m training.train --resume --minutes 100             go on where it stopped (also after a crash)
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.optim import AdamW

from training import model as net
from training.config import PRESETS, Config, Phase
from training.data import Sample, loader
from training.export import export
from training.losses import answer_loss, edge_loss, shrink, true_iou
from training.photos import Photo, PhotoFile, read_train
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


class Run:
    """The state of a run: networks, optimizer, progress, and its folder."""

    def __init__(self, args: argparse.Namespace, config: Config) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(config.seed)
        self.folder: Path = args.run
        self.out: Path = args.out or args.run / "nano.pt"
        self.model = net.build() if args.resume else net.load(args.init)
        net.freeze_fine_stages(self.model)
        self.model.to(device).train()
        self.model.image_encoder.trunk.to(memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.model).eval().requires_grad_(False)
        groups = parameter_groups(self.model, config)
        self.optimizer = AdamW(groups, lr=config.lr, betas=config.betas)
        self.step, self.spent = 0, 0.0  # steps and seconds, earlier pieces included
        self.folder.mkdir(parents=True, exist_ok=True)
        if args.resume:
            self.load(device)

    @property
    def checkpoint(self) -> Path:
        """The file that holds everything needed to go on."""
        return self.folder / "last.pt"

    def load(self, device: torch.device) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.spent = state["step"], state["spent"]

    def save(self) -> None:
        """Write checkpoint and averaged weights; a crash leaves the old or the new ones, never half of them."""
        part = self.checkpoint.with_suffix(".part")
        state = {"model": self.model, "ema": self.ema, "optimizer": self.optimizer}
        torch.save({k: v.state_dict() for k, v in state.items()} | {"step": self.step, "spent": self.spent}, part)
        part.replace(self.checkpoint)
        export(self.ema, self.out)

    def write(self, **figures: object) -> None:
        """Append a record to the log."""
        record = json.dumps({"step": self.step, "minutes": round(self.spent / 60, 1), **figures})
        print(record, flush=True)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(record + "\n")

    def resize(self, size: int) -> None:
        """Change the input size."""
        for network in (self.model, self.ema):
            net.set_size(network, size)


def train(rank: int, args: argparse.Namespace, config: Config) -> None:
    """The whole run, or one of its processes; the first one logs and saves."""
    if args.processes > 1:
        torch.set_num_threads(max(torch.get_num_threads() // args.processes, 1))
        dist.init_process_group(
            "gloo", init_method=f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=args.processes
        )
    run = Run(args, config)
    model = run.model
    torch.set_float32_matmul_precision("high")
    files = read_train(args.data)
    with ThreadPoolExecutor() as pool:  # workers share what is decoded; without them, each scene decodes its own photo
        photos: Sequence[PhotoFile | Photo] = list(pool.map(PhotoFile.decode, files)) if args.workers > 1 else files
    budget = args.minutes * 60
    current, stream = -1, iter(())
    seed = run.step * args.processes + rank  # every piece of a run and every process draws its own scenes
    rng = np.random.default_rng([config.seed, seed, 1])
    sums: dict[str, list[float]] = defaultdict(list)
    clock = time.monotonic if model.device.type == "cuda" else time.process_time  # others may share the CPU
    last, saved = clock(), time.monotonic()

    while run.spent < budget:
        progress = run.spent / budget
        if (index := phase_at(config, progress)) != current:
            current = index
            phase = config.phases[index]
            phase = replace(phase, images=args.images or phase.images)
            stream = iter(loader(photos, config, phase, seed + index, args.workers))
            run.resize(config.phases[index].size)
        for group in run.optimizer.param_groups:
            group["lr"] = group["rate"] * rate(config, run.step, progress)
        clicks = corrections(config, config.phases[index], run.step)
        figures = train_step(model, config, next(stream), config.phases[index], rng, clicks)
        spent = clock()
        run.spent, last = run.spent + spent - last, spent
        if args.processes > 1:
            run.spent = share(model, run.spent)
        figures["norm"] = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        run.optimizer.step()
        model.zero_grad(set_to_none=True)
        update_ema(run.ema, model, config.ema, run.step)
        run.step += 1
        if rank:
            continue
        for key, value in figures.items():
            sums[key].append(float(value))
        if run.step % config.log_steps == 0:
            run.write(size=model.image_size, **{k: round(sum(v) / len(v), 4) for k, v in sums.items()})
            sums.clear()
        now = time.monotonic()
        if now - saved > args.save_minutes * 60:
            run.save()
            saved = now
    if rank == 0:
        run.save()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder with segments/ and more/, or a pack"
    )
    parser.add_argument("--run", type=Path, help="folder for checkpoints and the log (default: training/runs/PRESET)")
    parser.add_argument("--out", type=Path, help="where the averaged weights go (default: nano.pt in the run folder)")
    parser.add_argument("--init", type=Path, default=Path("assets/nano.pt"), help="the weights to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last checkpoint")
    parser.add_argument("--preset", choices=PRESETS, default="cpu", help="which settings (config.py)")
    parser.add_argument(
        "--set",
        type=lambda text: text.split("="),
        action="append",
        default=[],
        help="NAME=NUMBER of the config, to compare",
    )
    parser.add_argument("--minutes", type=float, default=100, help="budget of the whole run, earlier pieces included")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes (16 beside a fast GPU)")
    parser.add_argument("--images", type=int, help="images a step (default: the config's)")
    parser.add_argument("--save-minutes", type=float, default=4, help="how often weights and checkpoint are written")
    parser.add_argument("--processes", type=int, default=1, help="processes that share each step (two on a busy CPU)")
    parser.add_argument("--port", type=int, default=29511, help="where several processes meet")
    args = parser.parse_args()
    args.run = args.run or Path("training/runs") / args.preset
    changed: dict[str, Any] = {name: float(value) for name, value in args.set}
    config = replace(PRESETS[args.preset], **changed)
    if args.processes > 1:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # the end of this process is the end of all
        run = spawn(train, (args, config), args.processes, join=False)  # type: ignore[no-untyped-call]
        try:
            while not run.join():
                pass
        finally:
            for each in run.processes:
                each.kill()
    else:
        train(0, args, config)


if __name__ == "__main__":
    main()
