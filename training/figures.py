"""Pictures for the model card: sample photos with one click each, and drawn scenes, with the answers beside them.

python -m training.figures assets/nano.pt training/figures
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sam2.build_sam import _load_checkpoint
from sam2.modeling.sam2_base import SAM2Base

from training import model as net
from training.data import pack
from training.evaluate import Grid, prepare
from training.photos import Image, Photo, read_image
from training.scenes import colour_texture, drawn

HEIGHT = 200  # of a tile, in pixels
# Where to click, in parts of width and height: the thing that the photo is of, and a part or another thing.
CLICKS = {
    "skimage_chelsea": [(0.45, 0.55), (0.37, 0.40)],
    "skimage_coffee": [(0.48, 0.30), (0.24, 0.68)],
    "skimage_astronaut": [(0.45, 0.70), (0.43, 0.25)],
    "skimage_rocket": [(0.50, 0.50), (0.25, 0.30)],
}


@torch.inference_mode()
def candidates(model: SAM2Base, image: Image, x: float, y: float) -> tuple[NDArray[np.bool_], list[float]]:
    """The three masks (3 x H x W), best score first, for one click at pixel (x, y), and their scores."""
    height, width = image.shape[:2]
    blank = np.zeros((height, width))
    photo = Photo("", "", image, blank.astype(np.uint16), blank.astype(bool))
    size = model.image_size
    features = net.encode(model, prepare(photo, size))
    point = torch.tensor([[[x * size / width, y * size / height]]])
    logits, scores = net.decode(model, features, point, torch.ones(1, 1, dtype=torch.long), None)
    full = F.interpolate(logits[:, 1:], (height, width), mode="bilinear", align_corners=False)[0].numpy() > 0
    order = scores[0, 1:].argsort(descending=True).tolist()
    return full[order], [float(scores[0, 1 + k]) for k in order]


def tile(image: Image, mask: Grid | None, click: tuple[float, float] | None, text: str = "") -> Image:
    """An image with a mask in colour, the click as a dot and a word in the corner, HEIGHT pixels high."""
    out = image.astype(np.float32)
    if mask is not None:
        out[mask] = out[mask] * 0.45 + np.array([30, 144, 255]) * 0.55
    scale = HEIGHT / image.shape[0]
    small = cv2.resize(out.astype(np.uint8), (round(image.shape[1] * scale), HEIGHT), interpolation=cv2.INTER_AREA)
    if click is not None:
        centre = round(click[0] * scale), round(click[1] * scale)
        cv2.circle(small, centre, 4, (255, 255, 255), -1)
        cv2.circle(small, centre, 3, (0, 170, 0), -1)
    cv2.putText(small, text, (4, HEIGHT - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


def row(model: SAM2Base, image: Image, click: tuple[float, float], truth: Grid | None) -> Image:
    """A click, the truth where known, and the three candidates, best score first."""
    masks, scores = candidates(model, image, *click)
    tiles = [tile(image, truth, click, "click" if truth is None else "truth")]
    tiles += [tile(image, mask, click, f"{score:.2f}") for mask, score in zip(masks, scores, strict=True)]
    return np.concatenate(tiles, axis=1)


def main() -> None:
    """Write photos.jpg (sample photos) and drawn.jpg (drawn scenes, with the truth)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--config", type=Path, default=Path("assets/nano.yaml"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--size", type=int, help="input size, default the model's")
    args = parser.parse_args()
    model = net.build(args.config, args.size).eval()
    _load_checkpoint(model, args.model)
    args.folder.mkdir(parents=True, exist_ok=True)

    rows = []
    for name, clicks in CLICKS.items():
        image = read_image(args.data / "samples" / "images" / f"{name}.jpg")
        height, width = image.shape[:2]
        rows += [row(model, image, (x * width, y * height), None) for x, y in clicks]
    write(args.folder / "photos.jpg", rows)

    rng = np.random.default_rng(7)
    rows = []
    for _ in range(6):
        scene = drawn(rng, model.image_size, colour_texture)  # no photo in it
        sample = pack(rng, scene, prompts=1, min_area=0.01)
        if sample is None:
            continue
        image, mask = sample["image"].numpy(), sample["masks"][0].numpy().astype(bool)
        x, y = sample["centre"][0].tolist()
        rows.append(row(model, image, (x, y), mask))
    write(args.folder / "drawn.jpg", rows)


def write(path: Path, rows: list[Image]) -> None:
    """Stack rows, padded to one width, into a JPEG."""
    width = max(r.shape[1] for r in rows)
    padded = [np.pad(r, ((0, 4), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows]
    cv2.imwrite(str(path), np.concatenate(padded)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
