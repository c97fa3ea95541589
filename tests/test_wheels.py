"""The GPU machine has no package index: its own packages and the wheels we carry there are all there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRESENT = [
    *("torch", "torchvision", "numpy", "scipy", "opencv-python-headless", "pillow", "psutil", "safetensors", "tqdm"),
    *("pytest", "huggingface-hub"),
    # what torch and pytest are made of
    *("filelock", "fsspec", "jinja2", "markupsafe", "mpmath", "networkx", "setuptools", "sympy", "typing-extensions"),
    *("iniconfig", "packaging", "pluggy", "pygments"),
]

HIDE = """
import importlib.metadata, re, sys
from importlib.machinery import PathFinder

allowed = set(sys.argv[1].split())
known = importlib.metadata.packages_distributions()

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        owners = {re.sub("[-_.]+", "-", each).lower() for each in known.get(name, ())} - {"annotator"}
        return super().find_spec(name, path, target) if not owners or owners & allowed else None

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""
USES = {
    "bench": """
import benchmarks.__main__, benchmarks.profile_click, benchmarks.first_result, benchmarks.target, benchmarks.reference
from benchmarks.official import Official
from benchmarks.measure import agreement
from annotator.sam.predictor import Predictor
Official("nano", None, __import__("torch").device("cpu"))
Predictor.eager("nano", None)
mask = {"size": [4, 5], "counts": [3, 7, 10]}
assert agreement([[mask]], [[mask]])["miou"] == 1
""",
    "float8": """
import torch
from annotator.errors import ModelUnavailable
from annotator.sam import float8
try:
    float8.quantize(torch.nn.Linear(8, 8))
except ModelUnavailable:
    pass
""",
    "check": "import pytest, tests.test_devices, tests.conftest",
    "training": "import training.train",
}


def carried() -> list[str]:
    lines = (ROOT / "benchmarks" / "wheels.txt").read_text().splitlines()
    return [re.sub("[-_.]+", "-", line.split("==")[0]).lower() for line in lines if not line.startswith("#")]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Where only PRESENT and what is carried can be imported."""
    command = [sys.executable, "-c", HIDE + code, " ".join([*PRESENT, *carried()])]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("use", USES)
def test_what_runs_on_a_gpu_needs_nothing_that_is_not_there(use: str) -> None:
    done = run(USES[use])
    assert done.returncode == 0, done.stderr


def test_other_packages_are_hidden_in_these_tests() -> None:
    assert "No module named 'fastapi'" in run("import fastapi").stderr
