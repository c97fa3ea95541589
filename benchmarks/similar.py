"""From a few examples, how many of the other objects of a photo are found, and how much else?

    python -m benchmarks.similar DIR --prefix nuclei_
    python -m benchmarks.similar DIR --prefix fruits_ --kinds 3

DIR holds images/ and masks/ as for `annotator eval`. Of each kind of object in each photo, some are drawn as examples
with a fixed seed; the masks of the others should be found. A proposal is right if it overlaps one of them, not taken by
a more similar proposal, at IoU 0.5. What lies on other kinds, or on ground that nobody labelled, is wrong.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotator.cli.evaluate import LabelledPhoto, read_photos
from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.appearance import learn
from annotator.sam.predictor import Predictor
from annotator.sam.similar import SimilarRun
from annotator.settings import Settings
from annotator.types import RLE, Proposal
from annotator.workspace.views import best_view, crop, views_of
from benchmarks import machine
from benchmarks.kinds import kinds_of

EXAMPLES = (1, 2, 4)
THRESHOLDS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
IOU = 0.5


@dataclass(frozen=True, slots=True)
class Search:
    """One search: `right` says of each proposal, by its similarity, whether it was right; `wanted` were to be found.

    `seconds` are of processors: the sum over all cores, so that other work on the machine does not count.
    """

    examples: int
    wanted: int
    right: list[tuple[float, bool]]
    parts: int
    seconds: float


def search(predictor: Predictor, photo: LabelledPhoto, masks: Sequence[RLE], chosen: Sequence[int]) -> Search:
    """Find all `masks` from those at the indices `chosen`."""
    height, width = photo.ids.shape
    started = time.process_time()
    views = views_of([rles.area(masks[i]) for i in chosen], height, width, predictor.image_size)
    embeddings = [predictor.encode([np.ascontiguousarray(crop(photo.pixels, view))])[0] for view in views]
    shown = [best_view(views, rles.decode(masks[i])) for i in chosen]
    examples = [(embeddings[index], mask) for index, mask in shown]
    run = SimilarRun(learn(examples), [masks[i] for i in chosen], height, width)
    for view, embedding in zip(views, embeddings, strict=True):
        for _ in run.search(predictor, embedding, view.x, view.y):
            pass
    proposals = run.proposals()
    seconds = time.process_time() - started
    others = [mask for i, mask in enumerate(masks) if i not in chosen]
    return Search(len(chosen), len(others), _right(proposals, others), len(views), seconds)


def _right(proposals: Sequence[Proposal], wanted: Sequence[RLE]) -> list[tuple[float, bool]]:
    """Similarity of each proposal, most similar first, and whether it takes an object of its own."""
    free = list(wanted)
    outcome = []
    for each in proposals:
        overlaps = [rles.iou(each.mask, mask) for mask in free]
        hit = bool(overlaps) and max(overlaps) >= IOU
        if hit:
            free.pop(int(np.argmax(overlaps)))
        outcome.append((each.similarity or 0.0, hit))
    return outcome


def figures(searches: Sequence[Search]) -> list[dict[str, float]]:
    """Precision and recall over all searches at each threshold of similarity."""
    wanted = sum(each.wanted for each in searches)
    rows = []
    for threshold in THRESHOLDS:
        shown = [hit for each in searches for similarity, hit in each.right if similarity >= threshold]
        precision, recall = sum(shown) / max(1, len(shown)), sum(shown) / max(1, wanted)
        rows.append({"similarity": threshold, "precision": round(precision, 3), "recall": round(recall, 3)})
    return rows


def summary(searches: Sequence[Search]) -> dict[str, Any]:
    """The figures of searches with equally many examples. Seconds are the median of a search."""
    return {
        "examples": searches[0].examples,
        "searches": len(searches),
        "wanted": sum(each.wanted for each in searches),
        "parts": round(float(np.mean([each.parts for each in searches])), 1),
        "seconds": round(float(np.median([each.seconds for each in searches])), 2),
        "at": figures(searches),
    }


def main() -> None:
    """Print the figures so far after each photo; with --out, write them to a file too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--kinds", type=int, default=1, help="kinds of objects, told apart by colour and size")
    parser.add_argument("--photos", type=int, help="at most so many")
    parser.add_argument("--every", type=int, default=1, help="only every so many photos")
    parser.add_argument("--skip", type=int, default=0, help="not the first so many photos")
    parser.add_argument("--draws", type=int, default=1, help="examples are drawn so many times for each photo")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    spec = zoo.spec_of(options.model)
    predictor = Predictor.eager(options.model, zoo.checkpoint_path(spec, Settings.from_environment().models_dir))
    photos = [each for each in read_photos(options.folder) if options.prefix in ("", f"{each.source}_")]
    rng = np.random.default_rng(0)
    searches: list[Search] = []
    kinds = kinds_of(photos, options.kinds)
    chosen = list(zip(photos, kinds, strict=True))[options.skip :: options.every][: options.photos]
    for done, (photo, kind_of) in enumerate(chosen, start=1):
        for kind in sorted(set(kind_of.values())):
            masks = [rles.encode(photo.ids == region) for region, each in kind_of.items() if each == kind]
            for _ in range(options.draws):
                order = rng.permutation(len(masks)).tolist()
                searches += [search(predictor, photo, masks, order[:n]) for n in EXAMPLES if n < len(masks)]
        groups = [[each for each in searches if each.examples == n] for n in EXAMPLES]
        rows = [summary(each) for each in groups if each]
        print(f"{done} photos", *rows, sep="\n", flush=True)
        if options.out:
            place = {"machine": machine.describe(torch.device("cpu")), "commit": machine.commit()}
            found = {
                "set": options.prefix,
                "model": options.model,
                "photos": done,
                "draws": options.draws,
                "rows": rows,
                **place,
            }
            options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
