"""What is measured: a model with its weights, device and precision, eager and from its packages.

`python -m benchmarks.target --model large --untrained` compiles the packages ahead of a benchmark.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from annotator.errors import ModelUnavailable
from annotator.sam import zoo
from annotator.sam.compile import compile_packages, load_packages
from annotator.sam.predictor import UNTRAINED, Predictor
from annotator.serving.model_host import pick_device, pick_dtype
from annotator.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """`untrained` stands for seeded random weights, whose packages are kept apart from those that are served."""

    model: str
    settings: Settings
    untrained: bool
    without_packages: str | None = None
    """Why there are no packages, if that is known and compiling should not be tried again."""

    @classmethod
    def of(cls, options: argparse.Namespace) -> Target:
        """From the options of `add_arguments`. Without a checkpoint on this machine, the weights are random."""
        settings = Settings.from_environment(device=options.device, dtype=options.dtype)
        present = zoo.is_present(zoo.spec_of(options.model), settings.models_dir)
        return cls(options.model, settings, options.untrained or not present, options.without_packages)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return pick_device(self.settings.device)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of ours."""
        return pick_dtype(self.settings.dtype, self.device)

    @property
    def weights(self) -> Path | None:
        """The checkpoint file; None for random weights."""
        return None if self.untrained else zoo.checkpoint_path(zoo.spec_of(self.model), self.settings.models_dir)

    @property
    def _packages(self) -> Path:
        return self.settings.packages_dir / "untrained" if self.untrained else self.settings.packages_dir

    def eager(self) -> Predictor:
        """Without packages."""
        return Predictor.eager(self.model, self.weights, self.device, self.dtype)

    def packaged(self) -> Predictor:
        """From packages. Raises ModelUnavailable where they are missing or do not fit."""
        path = self.weights
        key = UNTRAINED if path is None else zoo.checkpoint_key(zoo.spec_of(self.model), path)
        return load_packages(self._packages, self.model, key, self.device, self.dtype)

    def compile_missing(self) -> str | None:
        """Compile what is not compiled yet. Returns why there are no packages; the compiler's words are logged."""
        if self.without_packages is not None:
            return self.without_packages
        try:
            self.packaged()
        except ModelUnavailable as reason:
            log.info("%s Compiling.", reason)
            try:
                compile_packages(self.eager(), self._packages)
                self.packaged()
            except ModelUnavailable as error:
                return str(error)
        return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that choose a target."""
    parser.add_argument("--model", default="nano", help="nano, tiny, small, base_plus or large")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--dtype", default="auto", help="auto (float16 on cuda, else float32), float32, float16, float8"
    )
    parser.add_argument("--untrained", action="store_true", help="seeded random weights")
    parser.add_argument("--without-packages", metavar="REASON", help="do not compile; the results say why")


def main() -> int:
    """Compile; the exit code is 1 if that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    failure = Target.of(parser.parse_args()).compile_missing()
    log.info("%s", failure or "The packages are there.")
    return int(failure is not None)


if __name__ == "__main__":
    raise SystemExit(main())
