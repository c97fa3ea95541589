"""The picture of the model card: sample photos with one click each, answered before and after.

python -m training.figures OLD.pt assets/nano.pt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from annotator.masks import rle as rles
from annotator.sam.candidates import find_candidates
from annotator.sam.predictor import Predictor
from annotator.settings import ASSETS_DIR
from annotator.types import Candidate, Point, Prompt
from training import model as net
from training.photos import Image, decode

HEIGHT = 200  # of a tile, in pixels
# Where to click, in parts of width and height: the thing that the photo is of, and a part or another thing.
CLICKS = {
    "skimage_chelsea": [(0.45, 0.55), (0.37, 0.40)],
    "skimage_coffee": [(0.48, 0.30), (0.24, 0.68)],
    "skimage_astronaut": [(0.45, 0.70), (0.43, 0.25)],
    "skimage_rocket": [(0.50, 0.50), (0.25, 0.30)],
}


def load(path: Path) -> Predictor:
    """A checkpoint, ready to answer."""
    return Predictor.of(net.load(path), "nano", path.name)


def tile(image: Image, answer: Candidate | None, click: tuple[float, float], text: str) -> Image:
    """A photo with an answer in colour, the click as a dot and a word in the corner, HEIGHT pixels high."""
    out = image.astype(np.float32)
    if answer is not None:
        mask: NDArray[np.bool_] = rles.decode(answer.mask)
        out[mask] = out[mask] * 0.45 + np.array([30, 144, 255]) * 0.55
        text = f"{text} {answer.score:.2f}"
    scale = HEIGHT / image.shape[0]
    small = cv2.resize(out.astype(np.uint8), (round(image.shape[1] * scale), HEIGHT), interpolation=cv2.INTER_AREA)
    centre = round(click[0] * scale), round(click[1] * scale)
    cv2.circle(small, centre, 4, (255, 255, 255), -1)
    cv2.circle(small, centre, 3, (0, 170, 0), -1)
    cv2.putText(small, text, (4, HEIGHT - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


def main() -> None:
    """Write photos.jpg: the click, the old answer as it was, and the three new ones, best score first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--out", type=Path, default=Path("training/figures/photos.jpg"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    old, new = load(args.old), load(args.new)
    rows = []
    for name, clicks in CLICKS.items():
        content = decode((ASSETS_DIR / "samples" / f"{name}.jpg").read_bytes(), cv2.IMREAD_COLOR)
        assert content is not None
        image = np.asarray(content[..., ::-1], np.uint8)
        height, width = image.shape[:2]
        (before,), (after,) = old.encode([image]), new.encode([image])
        for x, y in ((x * width, y * height) for x, y in clicks):
            prompt = Prompt((Point(x, y, 1),))
            tiles = [tile(image, None, (x, y), "click")]
            tiles += [tile(image, find_candidates(old, before, prompt, keep=1).masks[0], (x, y), "before")]
            tiles += [tile(image, each, (x, y), "after") for each in find_candidates(new, after, prompt).masks]
            rows.append(np.concatenate(tiles, axis=1))
    widest = max(each.shape[1] for each in rows)
    padded = [np.pad(each, ((0, 4), (0, widest - each.shape[1]), (0, 0)), constant_values=255) for each in rows]
    cv2.imwrite(str(args.out), np.concatenate(padded)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
