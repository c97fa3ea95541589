"""Which OpenMP settings suit a CPU: clicks, encodes and automatic masks, on a quiet machine and beside a busy process.

    python -m benchmarks.threads --packages ~/.cache/annotator/models/packages --rounds 5

Each setting is a process of its own, since OpenMP reads its environment when torch is loaded. All processes are loaded
first; then they take turns, so that a disturbance of the machine meets all of them. Prints a table: p50 / p90 in
milliseconds, and the CPU time of one task as a multiple of its p50.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from annotator.settings import ASSETS_DIR, Settings  # before torch: annotator says how its threads wait
from annotator.types import Point, Prompt

_ALL_THREADS = "CLICK_IN_ALL_THREADS"
"""A variable of this benchmark: no `one_thread` around a click. The others are those of GNU OpenMP, part of torch."""
SETTINGS: dict[str, dict[str, str]] = {
    "OpenMP's own": {"GOMP_SPINCOUNT": "300000", _ALL_THREADS: "1"},
    "shorter spin": {"GOMP_SPINCOUNT": "30000", _ALL_THREADS: "1"},
    "passive": {"OMP_WAIT_POLICY": "passive", _ALL_THREADS: "1"},
    "ours": {},
    "1 thread": {"OMP_NUM_THREADS": "1"},
}
"""What `annotator` sets, and what it could set instead."""
SITUATIONS = {"quiet": 0, "busy": 1}
"""How many other processes keep a core busy."""
REPEATS = {"click": 10, "encode": 3, "automask": 1}
_GRID = 8


def serve(model: str, packages: Path | None) -> None:
    """The measured process: for each task named on stdin, one line with its wall and CPU seconds, `REPEATS` times."""
    import torch
    from PIL import Image

    from annotator.sam import zoo
    from annotator.sam.automask import AutomaskSettings, automask
    from annotator.sam.candidates import find_candidates
    from annotator.sam.compile import load_packages
    from annotator.sam.predictor import Predictor

    spec, device = zoo.spec_of(model), torch.device("cpu")
    path = zoo.checkpoint_path(spec, Settings().models_dir)
    if packages is None:
        predictor = Predictor.eager(model, path)
    else:
        predictor = load_packages(packages, model, zoo.checkpoint_key(spec, path), device, torch.float32)
    photo = Image.open(ASSETS_DIR / "samples" / "skimage_coffee.jpg").resize((1500, 1000))
    pixels = np.asarray(photo.convert("RGB"))
    (embedding,) = predictor.encode([pixels])
    rng = np.random.default_rng(0)
    settings = AutomaskSettings.of(spec, _GRID)

    answer = find_candidates.__wrapped__ if _ALL_THREADS in os.environ else find_candidates  # type: ignore[attr-defined]

    def click() -> None:
        answer(predictor, embedding, Prompt((Point(rng.uniform(150, 1350), rng.uniform(100, 900), 1),)))

    tasks: dict[str, Callable[[], object]] = {
        "click": click,
        "encode": lambda: predictor.encode([pixels]),
        "automask": lambda: automask(predictor, embedding, settings),
    }
    for task in tasks.values():
        task()  # warm up
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.strip()
        spans = []
        for _ in range(REPEATS[name]):
            wall, cpu = time.perf_counter(), time.process_time()
            tasks[name]()
            spans.append((time.perf_counter() - wall, time.process_time() - cpu))
        print(json.dumps(spans), flush=True)


@contextmanager
def busy_processes(count: int) -> Any:
    """So many processes that each keep a core busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    """Print the tables; JSON last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--packages", type=Path, help="compiled packages to run from (default: eager)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--situations", nargs="+", default=list(SITUATIONS), choices=SITUATIONS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.model, options.packages)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no busy process is left behind
    command = [sys.executable, "-m", "benchmarks.threads", "--serve", "--model", options.model]
    if options.packages is not None:
        command += ["--packages", str(options.packages)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    workers = {
        name: subprocess.Popen(
            command, env=clean | SETTINGS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in options.settings
    }
    for worker in workers.values():
        assert cast(IO[str], worker.stdout).readline() == "ready\n", "a process could not be started"
    spans: defaultdict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(options.rounds):
        for situation in options.situations:
            with busy_processes(SITUATIONS[situation]):
                for task in REPEATS:
                    for name, worker in workers.items():
                        print(task, file=worker.stdin, flush=True)
                        spans[situation, task, name] += json.loads(cast(IO[str], worker.stdout).readline())
    for worker in workers.values():
        worker.communicate()
    report(spans, options.situations, options.settings)


def report(
    spans: dict[tuple[str, str, str], list[tuple[float, float]]], situations: list[str], names: list[str]
) -> None:
    """Print the tables, then the figures as JSON."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    figures: dict[str, Any] = {"torch": version("torch"), "cores": os.cpu_count(), "commit": commit}
    for situation in situations:
        print(f"\n{situation:18}" + "".join(f"{task + ' ms':>22}{'cpu':>6}" for task in REPEATS))
        for name in names:
            row = f"{name:18}"
            for task in REPEATS:
                wall, cpu = np.array(spans[situation, task, name]).T * 1e3
                p50, p90 = np.percentile(wall, (50, 90))
                load = float(np.median(cpu)) / p50
                row += f"{p50:13.1f} / {p90:6.1f}{load:6.2f}"
                key = f"{situation} {task} {name}"
                figures[key] = {"n": len(wall), "p50": round(p50, 1), "p90": round(p90, 1), "cpu": round(load, 2)}
            print(row)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
