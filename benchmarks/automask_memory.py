"""How much memory automatic masks take on a large photo, beyond what the loaded model and the photo take.

python -m benchmarks.automask_memory --size 4000x3000
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from PIL import Image

from annotator.sam import zoo
from annotator.sam.automask import AutomaskSettings, automask
from annotator.sam.predictor import Predictor
from annotator.settings import ASSETS_DIR, Settings
from benchmarks.memory import peak_memory


def main() -> None:
    """Run the official grid of 32 x 32 points; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="4000x3000")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    spec = zoo.spec_of(options.model)
    predictor = Predictor.eager(options.model, zoo.checkpoint_path(spec, Settings.from_environment().models_dir))
    photo = Image.open(ASSETS_DIR / "samples" / "skimage_coffee.jpg").convert("RGB").resize((width, height))
    pixels = np.asarray(photo)

    def run() -> int:
        (embedding,) = predictor.encode([pixels])
        return len(automask(predictor, embedding, AutomaskSettings.of(spec, points_per_side=32)))

    masks, growth = peak_memory(predictor.device, run)
    print(json.dumps({"size": options.size, "masks": masks, "growth_mib": growth and round(growth)}))


if __name__ == "__main__":
    main()
