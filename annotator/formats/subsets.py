"""Which images are for training and which for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from annotator.types import ImageRecord

SUBSETS = ("train", "val", "test")
_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def by_folder(images: Sequence[ImageRecord]) -> dict[str, str]:
    """The subset of each image by id, after the first folder of its name that is called like one; else `train`."""
    return {image.id: _of_folders(image.name.lower().split("/")[:-1]) for image in images}


def by_chance(images: Sequence[ImageRecord], share: float, seed: int) -> dict[str, str]:
    """`val` for this share of the images, 0 to 1, and `train` for the others, by image id.

    The choice follows from the names and the seed alone.
    """
    shuffled = sorted(images, key=lambda image: hashlib.sha256(f"{seed}:{image.name}".encode()).digest())
    count = round(share * len(shuffled))
    return {image.id: "val" if place < count else "train" for place, image in enumerate(shuffled)}


def _of_folders(folders: Sequence[str]) -> str:
    return next((_FOLDERS[folder] for folder in folders if folder in _FOLDERS), "train")
