"""Click quality of a checkpoint on the photos that are never trained on, by the protocol of `annotator eval`.

python -m training.evaluate assets/nano.pt      all of `val`, and four regions a photo of `more-val`
python -m training.evaluate NEW.pt --raw        without cleaning
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from sam2.modeling.sam2_base import SAM2Base

from annotator.cli.evaluate import LabelledPhoto, RegionResult, by_source, evaluate, summary
from annotator.sam.predictor import Predictor
from annotator.sam.zoo import MODELS
from training import model as net
from training.photos import Photo, PhotoFile, read_folder, read_held_out


def labelled(photo: Photo) -> LabelledPhoto:
    """A photo as `annotator eval` takes it."""
    return LabelledPhoto(photo.source, photo.image, photo.labels.astype("int64"), ~photo.ignore)


def click(
    model: SAM2Base, photos: Iterable[PhotoFile], clicks: int, limit: int | None, share: float
) -> list[RegionResult]:
    """Results on up to `limit` regions of each photo; answers lose holes and specks of `share` of the image."""
    predictor = Predictor.of(model.eval(), "nano", "in training", model.device)
    return [
        result
        for results in evaluate(predictor, (labelled(each.decode()) for each in photos), share, limit, clicks)
        for result in results
    ]


def main() -> None:
    """Print a table per source, and the figures as JSON, for each of the two sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--clicks", type=int, default=3)
    parser.add_argument("--limit", type=int, default=4, help="regions a photo of `more-val`, the same each time")
    parser.add_argument("--every", type=int, default=1, help="only every so many photos, for a quick look")
    parser.add_argument("--size", type=int, help="input size, default the model's")
    parser.add_argument("--raw", action="store_true", help="keep holes and specks")
    args = parser.parse_args()
    torch.set_num_threads(1)  # of several evaluations, or beside a training, none waits for the other
    model = net.load(args.model, args.size)
    share = 0.0 if args.raw else MODELS["nano"].speck_share
    val, more = read_folder(args.data / "segments" / "val"), read_held_out(args.data)
    for name, photos, limit in (("val", val, None), ("more-val", more, args.limit)):
        results = click(model, photos[:: args.every], args.clicks, limit, share)
        for source, figures in by_source(results).items():
            print(f"{source:12}", *(f"{k} {v:.3f}" for k, v in figures.items()))
        print(name, json.dumps({key: round(value, 4) for key, value in summary(results).items()}), flush=True)


if __name__ == "__main__":
    main()
