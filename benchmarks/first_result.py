"""From starting a fresh interpreter to its first mask, imports and loading included: part of `python -m benchmarks`."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from annotator.sam.candidates import find_candidates
from annotator.types import Point, Prompt
from benchmarks.target import Target, add_arguments
from benchmarks.tasks import decode_image, samples

log = logging.getLogger(__name__)


def first_results(target: Target, kinds: tuple[str, ...], processes: int) -> dict[str, float]:
    """Milliseconds until a fresh process has its first mask, for `eager` and `packaged`: the median of several."""
    command = [sys.executable, "-m", "benchmarks.first_result", "--model", target.model]
    command += ["--device", target.settings.device, "--dtype", target.settings.dtype]
    command += ["--untrained"] if target.untrained else []
    environment = {**os.environ, "ANNOTATOR_MODELS_DIR": str(target.settings.models_dir)}
    found = {}
    for kind in kinds:
        took = []
        for _ in range(processes):
            start = time.perf_counter()
            run = subprocess.run(
                [*command, kind], cwd=Path(__file__).resolve().parent.parent, env=environment, check=False
            )
            took.append((time.perf_counter() - start) * 1e3)
            if run.returncode:
                log.error("The first result, %s, failed.", kind)
                break
        else:
            found[kind] = round(float(np.median(took)), 1)
    return found


def main() -> None:
    """One click on one image in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("kind", choices=["eager", "packaged"])
    options = parser.parse_args()
    target = Target.of(options)
    predictor = target.packaged() if options.kind == "packaged" else target.eager()
    (embedding,) = predictor.encode([decode_image(samples()[0].read_bytes())])
    find_candidates(predictor, embedding, Prompt((Point(250, 200, 1),)), keep=1)


if __name__ == "__main__":
    main()
