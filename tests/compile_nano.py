"""Compile the bundled model into a folder, unless what is there still fits: `python -m tests.compile_nano FOLDER`.

A second call waits for the first one.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from annotator.cli.main import main
from annotator.errors import ModelUnavailable
from annotator.sam import zoo
from annotator.sam.compile import load_packages
from annotator.sam.predictor import Predictor

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # until this process ends
    eager = Predictor.eager("nano", zoo.checkpoint_path(zoo.MODELS["nano"], Path()))
    try:
        load_packages(folder, eager.model, eager.key, eager.device, eager.dtype)
    except ModelUnavailable:
        where = ["--models-dir", str(folder.parent), "--device", "cpu", "--dtype", "float32"]
        sys.exit(main(["compile", "nano", *where]))
