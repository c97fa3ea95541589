"""From starting a fresh interpreter to its first mask, imports and loading included: run by `annotator bench`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from annotator.sam import zoo
from annotator.sam.candidates import find_candidates
from annotator.sam.compile import load_packages
from annotator.sam.predictor import UNTRAINED, Predictor
from annotator.serving.model_host import pick_device, pick_dtype
from annotator.settings import Settings
from annotator.types import Point, Prompt
from benchmarks.tasks import decode_image, photos

_REPEATS = 3


def packages_of(settings: Settings, untrained: bool) -> Path:
    """Where the packages that are measured are kept: those with random weights apart from those that are served."""
    return settings.packages_dir / "untrained" if untrained else settings.packages_dir


def packaged(model: str, settings: Settings, untrained: bool) -> Predictor:
    """From the packages that a benchmark of the model has made."""
    device, spec = pick_device(settings.device), zoo.spec_of(model)
    key = UNTRAINED if untrained else zoo.checkpoint_key(spec, zoo.checkpoint_path(spec, settings.models_dir))
    return load_packages(packages_of(settings, untrained), model, key, device, pick_dtype(settings.dtype, device))


def first_results(model: str, settings: Settings, untrained: bool) -> dict[str, float]:
    """Milliseconds until a fresh process has its first mask, eager and packaged: the median of three."""
    environment = {
        **os.environ,
        "ANNOTATOR_DEVICE": settings.device,
        "ANNOTATOR_DTYPE": settings.dtype,
        "ANNOTATOR_MODELS_DIR": str(settings.models_dir),
    }
    weights = "untrained" if untrained else "checkpoint"
    found = {}
    for kind in ("eager", "packaged"):
        command = [sys.executable, "-m", "benchmarks.first_result", model, kind, weights]
        took = []
        for _ in range(_REPEATS):
            start = time.perf_counter()
            subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, env=environment, check=True)
            took.append((time.perf_counter() - start) * 1e3)
        found[kind] = round(float(np.median(took)), 1)
    return found


def main(model: str, kind: str, weights: str) -> None:
    """One click on one image in this process."""
    settings = Settings.from_environment()
    untrained = weights == "untrained"
    if kind == "packaged":
        predictor = packaged(model, settings, untrained)
    else:
        device = pick_device(settings.device)
        path = None if untrained else zoo.checkpoint_path(zoo.spec_of(model), settings.models_dir)
        predictor = Predictor.eager(model, path, device, pick_dtype(settings.dtype, device))
    (embedding,) = predictor.encode([decode_image(photos()[0])])
    find_candidates(predictor, embedding, Prompt((Point(700, 500, 1),)), keep=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
