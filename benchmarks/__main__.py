"""Measure a model against official SAM 2 and write the tables: `python -m benchmarks --model nano --device cpu`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from annotator.sam import zoo
from benchmarks.report import RESULTS, write_report
from benchmarks.run import TASKS, Plan, bench
from benchmarks.target import Target, add_arguments


def main() -> None:
    """Print the paths of what was written."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--repeats", type=int, default=40, help="SPS inputs; MPS a quarter, CLICK at least 100")
    parser.add_argument("--automask-images", type=int, default=4, help="AMG inputs, at most 4")
    parser.add_argument("--points-per-side", type=int, default=32, help="of AMG's grid of clicks")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--compiled-reference", action="store_true", help="the reference system compiled, too")
    parser.add_argument("--output", type=Path, default=RESULTS, help="a folder for the JSON file")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # Official SAM 2 does not clean masks, so here nobody does: what is compared is the same work.
    zoo.MODELS[options.model] = replace(zoo.spec_of(options.model), speck_share=0.0)
    plan = Plan(
        options.repeats,
        options.automask_images,
        options.points_per_side,
        tuple(options.tasks),
        options.compiled_reference,
    )
    print(bench(Target.of(options), plan, options.output))
    if options.output == RESULTS:
        print(write_report())


if __name__ == "__main__":
    main()
