"""Train the bundled model. All settings are in `training/config.py`; this is the loop.

python -m training.train --init WEIGHTS.pt --minutes 100    a new run (CPU, or one GPU when there is one)
python -m training.train --resume --minutes 100             go on where it stopped (also after a crash)
"""

from __future__ import annotations

import argparse
import copy
import json
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.optim import AdamW

from training import model as net
from training.config import PRESETS, Config
from training.data import loader
from training.export import export
from training.optimizer import parameter_groups, rate, share, update_ema
from training.photos import Photo, PhotoFile, read_train
from training.step import corrections, train_step

CHECKPOINT = "last.pt"


def phase_at(config: Config, progress: float) -> int:
    """The index of the phase at a progress of 0..1."""
    return next((k for k, phase in enumerate(config.phases) if progress < phase.until), len(config.phases) - 1)


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
        return self.folder / CHECKPOINT

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


def changed(config: Config, settings: Sequence[str]) -> Config:
    """The config with some NAME=NUMBER in it. Raises ValueError for a name that is no number of the config."""
    for setting in settings:
        name, _, text = setting.partition("=")
        kind = type(getattr(config, name, None))
        if kind not in (int, float):
            raise ValueError(f"{name!r} is no number of the config (config.py).")
        try:
            config = replace(config, **{name: kind(text)})
        except ValueError:
            raise ValueError(f"{name} should be a number of the kind {kind.__name__}, not {text!r}.") from None
    return config


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
    parser.add_argument("--set", action="append", default=[], help="NAME=NUMBER of the config, to compare")
    parser.add_argument("--minutes", type=float, default=100, help="budget of the whole run, earlier pieces included")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes (16 beside a fast GPU)")
    parser.add_argument("--images", type=int, help="images a step (default: the config's)")
    parser.add_argument("--save-minutes", type=float, default=4, help="how often weights and checkpoint are written")
    parser.add_argument("--processes", type=int, default=1, help="processes that share each step (two on a busy CPU)")
    parser.add_argument("--port", type=int, default=29511, help="where several processes meet")
    args = parser.parse_args()
    args.run = args.run or Path("training/runs") / args.preset
    try:
        config = changed(PRESETS[args.preset], args.set)
    except ValueError as error:
        parser.error(str(error))
    begun = (args.run / CHECKPOINT).is_file()
    if args.resume and not begun:
        parser.error(f"{args.run} holds no run to go on with.")
    if begun and not args.resume:
        parser.error(f"{args.run} holds a run already: --resume goes on with it, --run names another folder.")
    if not args.resume and not args.init.is_file():
        parser.error(f"There are no weights at {args.init}.")
    if not (args.data.is_file() or (args.data / "segments").is_dir()):
        parser.error(f"{args.data} is no pack, and has no folder segments/.")
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
