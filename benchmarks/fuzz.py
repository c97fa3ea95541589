"""Throw damaged input at the parts that take strangers' files and requests, and count what goes wrong.

    python -m benchmarks.fuzz images --count 20000

Every case is made from the seed and its number, so one that fails can be run again: `--first NUMBER --count 1`. The
work is done in a process of its own: if it dies or takes two minutes for one case, that is counted, and the next one
goes on behind it. Prints JSON; exits 1 if there was a crash (any error but the expected ones), a case of over 5 s of
processor time, or memory that grew by over 100 MB from the first tenth of the cases on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import psutil

from benchmarks import fuzz_coco, fuzz_images, fuzz_requests, fuzz_rle

HANG_S, DEAD_S, GROWTH_MB = 5.0, 120.0, 100.0


@dataclass(frozen=True)
class Target:
    """What is attacked: `case` makes an input, `run` takes it and names what became of it, or raises if that is bad."""

    case: Callable[[random.Random], bytes]
    run: Callable[[bytes], str]


TARGETS = {
    "coco": Target(fuzz_coco.case, fuzz_coco.run),
    "images": Target(fuzz_images.case, fuzz_images.run),
    "requests": Target(fuzz_requests.case, fuzz_requests.run),
    "rle": Target(fuzz_rle.case, fuzz_rle.run),
}


@dataclass
class Report:
    """What went wrong, and what became of the rest."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)
    """Resident memory after each tenth of the cases."""

    def add(self, number: int, outcome: str, error: str, seconds: float) -> None:
        """Count one case."""
        self.cases += 1
        self.outcomes[outcome] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        if error:
            self.crashes.append(f"{number}: {error}")
        if seconds > HANG_S:
            self.hangs.append(f"{number}: {seconds:.1f} s")

    @property
    def growth_mb(self) -> float:
        """By how much memory grew after the first tenth of the cases."""
        return max(self.memory_mb, default=0.0) - self.memory_mb[0] if self.memory_mb else 0.0

    @property
    def bad(self) -> bool:
        """Whether anything went wrong."""
        return bool(self.crashes or self.hangs) or self.growth_mb > GROWTH_MB


def run_case(target: Target, seed: int, number: int) -> tuple[str, str, float]:
    """Run one case: what became of it, the error if it crashed, and the seconds of processor time it took."""
    started = time.process_time()  # not the clock: other work on the machine is nobody's fault
    try:
        outcome, error = target.run(target.case(random.Random(f"{seed}:{number}"))), ""
    except Exception as caught:
        place = traceback.extract_tb(caught.__traceback__)[-1]
        outcome, error = "crash", f"{type(caught).__name__} {caught} ({place.filename}:{place.lineno})"
    return outcome, error, time.process_time() - started


def drive(name: str, seed: int, first: int, count: int) -> Report:
    """Run cases in a process of its own, in a new one where that dies or does not answer."""
    report, number, end = Report(), first, first + count
    tenth = max(1, count // 10)
    while number < end:
        ours, theirs = multiprocessing.Pipe()
        worker = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs, name, seed, number, end))
        worker.start()
        theirs.close()
        try:
            while number < end:
                if not ours.poll(DEAD_S):
                    report.add(number, "crash", "no answer", DEAD_S)
                    number += 1
                    break
                report.add(number, *ours.recv())
                number += 1
                if (number - first) % tenth == 0:
                    report.memory_mb.append(round(psutil.Process(worker.pid).memory_info().rss / 1e6, 1))
                    print(f"{number - first} of {count}", file=sys.stderr)
        except EOFError:
            report.add(number, "crash", "the process died", 0.0)
            number += 1
        worker.kill()
        worker.join()
    return report


def _work(pipe: Connection, name: str, seed: int, first: int, end: int) -> None:
    for number in range(first, end):
        pipe.send(run_case(TARGETS[name], seed, number))
    pipe.recv()  # until killed: memory is read while this process lives


def main() -> int:
    """Run it; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    report = drive(options.target, options.seed, options.first, options.count)
    figures = {
        "target": options.target,
        "seed": options.seed,
        "cases": report.cases,
        "outcomes": dict(report.outcomes.most_common()),
        "crashes": len(report.crashes),
        "hangs": len(report.hangs),
        "slowest_s": round(report.slowest_s, 2),
        "growth_mb": round(report.growth_mb, 1),
        "memory_mb": report.memory_mb,
        "seconds": round(time.perf_counter() - started),
        "first_bad": (report.crashes + report.hangs)[:20],
    }
    print(json.dumps(figures, indent=1))
    return int(report.bad)


if __name__ == "__main__":
    sys.exit(main())
