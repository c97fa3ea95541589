"""The mean of the weights of several checkpoints of one network.

It is often better than each of them (Wortsman et al. 2022, "Model soups", arXiv:2203.05482).

python -m training.mean training/runs/one/nano.pt training/runs/two/nano.pt --out training/runs/mean.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from training.export import write


def mean(paths: Sequence[Path], out: Path) -> None:
    """Write the mean, as `export.write` does. Raises ValueError if the checkpoints are not of one network."""
    models = [torch.load(path, map_location="cpu", weights_only=True)["model"] for path in paths]
    shapes = [{name: values.shape for name, values in model.items()} for model in models]
    if any(each != shapes[0] for each in shapes):
        raise ValueError("These are checkpoints of different networks.")
    write({name: torch.stack([model[name].float() for model in models]).mean(dim=0) for name in models[0]}, out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    mean(args.checkpoints, args.out)


if __name__ == "__main__":
    main()
