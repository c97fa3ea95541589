"""How often is a label suggested, and how often is it right?

    python -m benchmarks.suggestions DIR --prefix fruits_ --kinds 3

DIR holds images/ and masks/ as for `annotator eval`. The label of each object is its kind (see `benchmarks.kinds`). An
object is compared with all objects of the other photos, then again without those of its own kind: nothing should be
suggested for a label that has no object yet.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from annotator.cli.evaluate import read_photos
from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.appearance import describe
from annotator.sam.predictor import Predictor
from annotator.settings import Settings
from annotator.types import FloatArray
from annotator.workspace.suggestions import choose
from benchmarks.kinds import kinds_of


def main() -> None:
    """Print the shares as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--kinds", type=int, default=3, help="kinds of objects, told apart by colour and size")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    spec = zoo.spec_of(options.model)
    predictor = Predictor.eager(options.model, zoo.checkpoint_path(spec, Settings.from_environment().models_dir))
    photos = [each for each in read_photos(options.folder) if options.prefix in ("", f"{each.source}_")]
    objects: list[tuple[int, int, FloatArray]] = []  # photo, kind, description
    for index, (photo, kind_of) in enumerate(zip(photos, kinds_of(photos, options.kinds), strict=True)):
        (embedding,) = predictor.encode([photo.pixels])
        for region, kind in kind_of.items():
            objects.append((index, kind, describe(embedding, rles.encode(photo.ids == region))))
    said = right = unknown = 0
    for index, kind, vector in objects:
        others = [(label, each) for place, label, each in objects if place != index]
        suggested = choose(vector, others)
        said += suggested is not None
        right += suggested == kind
        unknown += choose(vector, [(label, each) for label, each in others if label != kind]) is not None
    count = len(objects)
    found = {
        "photos": len(photos),
        "objects": count,
        "suggested": round(said / count, 3),
        "right": round(right / max(1, said), 3),
        "suggested_for_an_unknown_label": round(unknown / count, 3),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
