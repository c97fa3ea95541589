"""Photos with masks: folders with `images/NAME.jpg` and `masks/NAME.png`, and random crops of them.

Mask values: 0 unlabelled, 255 ignore (8-bit masks only), every other value a region.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

cv2.setNumThreads(0)  # forked loader workers would wait for threads that do not exist there
IGNORE = 255
PARTS = ("image", "mask")  # what a `PhotoFile` consists of, in its order
HELD_OUT = 20  # of each set of `more`, every so many photos by sorted name are never trained on
Image = NDArray[np.uint8]
Pixels = NDArray[np.integer[Any] | np.floating[Any]]
Rng = np.random.Generator


@dataclass(frozen=True)
class Photo:
    """An RGB image (H x W x 3) with its label map (H x W, uint16) and the map of pixels to ignore (H x W, bool)."""

    name: str
    source: str
    image: Image
    labels: NDArray[np.uint16]
    ignore: NDArray[np.bool_]

    def decode(self) -> Photo:
        """Itself: a photo that is decoded stands wherever a `PhotoFile` does."""
        return self

    def regions(self, min_area: float) -> list[int]:
        """Ids of the regions that cover at least `min_area` of the image."""
        ids, counts = np.unique(self.labels, return_counts=True)
        return [int(i) for i, n in zip(ids, counts, strict=True) if i and n >= min_area * self.labels.size]


@dataclass(frozen=True)
class PhotoFile:
    """A photo and its mask as stored: the bytes of a JPEG and of a PNG. Thousands of them fit in memory."""

    name: str
    source: str
    image: bytes
    mask: bytes

    def decode(self) -> Photo:
        """The pixels. Raises ValueError for damaged files and for a mask that is not of the photo's size."""
        image, mask = decode(self.image, cv2.IMREAD_COLOR), decode(self.mask, cv2.IMREAD_UNCHANGED)
        if image is None or mask is None or image.shape[:2] != mask.shape[:2]:
            raise ValueError(f"{self.name}: photo or mask is unreadable, or they differ in size")
        ignore = (mask == IGNORE) if mask.dtype == np.uint8 else np.zeros(mask.shape, bool)
        labels = np.where(ignore, 0, mask).astype(np.uint16)
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)
        return Photo(self.name, self.source, pixels, labels, ignore)


def decode(content: bytes, flags: int) -> Pixels | None:
    """The pixels of an image file, BGR where it has colours; None if it is damaged."""
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)


def read_folder(folder: Path, source: str | None = None) -> list[PhotoFile]:
    """All photos of a folder, by name. The source is the part of a name before "_", unless one is given."""
    files = [
        PhotoFile(
            path.stem,
            source or path.stem.partition("_")[0],
            (folder / "images" / f"{path.stem}.jpg").read_bytes(),
            path.read_bytes(),
        )
        for path in sorted((folder / "masks").glob("*.png"))
    ]
    if not files:
        raise ValueError(f"no masks in {folder / 'masks'}")
    return files


def read_more(data: Path) -> list[list[PhotoFile]]:
    """The photos of each set in `more`, by name."""
    folders = sorted(path for path in (data / "more").glob("*") if path.is_dir())
    return [read_folder(folder, folder.name) for folder in folders]


def read_held_out(data: Path) -> list[PhotoFile]:
    """`more-val`: of each set in `more` every 20th photo, from the first."""
    return [file for files in read_more(data) for file in files[::HELD_OUT]]


def read_train(data: Path) -> list[PhotoFile]:
    """The photos to train on. `data` may also be a file that `training/pack.py` has written."""
    if data.is_file():
        return read_pack(data)
    files = read_folder(data / "segments" / "train")
    return files + [file for each in read_more(data) for k, file in enumerate(each) if k % HELD_OUT]


def turns(files: list[PhotoFile]) -> list[PhotoFile]:
    """One photo of each source after the other, so that a run that is stopped early has some of all."""
    seen: dict[str, int] = defaultdict(int)
    turn = []
    for file in files:
        turn.append(seen[file.source])
        seen[file.source] += 1
    return [files[k] for k in np.argsort(turn, kind="stable")]


def write_pack(path: Path, files: list[PhotoFile]) -> None:
    """Photos with masks in one file, a zip without further compression."""
    with zipfile.ZipFile(path, "w") as pack:
        for file in files:
            for part in PARTS:
                pack.writestr(f"{file.source}/{file.name}/{part}", getattr(file, part))


def read_pack(path: Path) -> list[PhotoFile]:
    """The photos that `write_pack` has put into a file."""
    with zipfile.ZipFile(path) as pack:
        names = dict.fromkeys(name.rpartition("/")[0] for name in pack.namelist())
        return [
            PhotoFile(name.partition("/")[2], name.partition("/")[0], *(pack.read(f"{name}/{part}") for part in PARTS))
            for name in names
        ]


def window(rng: Rng, height: int, width: int, least: float, stretch: float) -> tuple[slice, slice]:
    """A random window covering `least`..1 of the area, its aspect changed by up to a factor `stretch`."""
    area = rng.uniform(least, 1.0)
    aspect = float(np.exp(rng.uniform(-1, 1) * np.log(stretch)))
    h = int(np.clip(height * np.sqrt(area * aspect), 16, height))
    w = int(np.clip(width * np.sqrt(area / aspect), 16, width))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return slice(top, top + h), slice(left, left + w)


def resize(image: Image, width: int, height: int) -> Image:
    """Resize with averaging when shrinking, linearly when growing."""
    shrinking = width * height < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR).astype(
        np.uint8
    )


def resize_nearest(mask: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize a mask; each pixel keeps one of the values."""
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


@dataclass(frozen=True)
class View:
    """A square view of a photo: image S x S x 3, region masks N x S x S (0/1), pixels to ignore."""

    image: Image
    masks: NDArray[np.uint8]
    ignore: NDArray[np.bool_]


def crop(rng: Rng, photo: Photo, size: int, min_area: float) -> View:
    """A random square view with its regions."""
    height, width = photo.labels.shape
    for least in (0.25, 0.5, 0.9):  # ask for more of the photo when a crop holds no region
        rows, columns = window(rng, height, width, least, 1.5)
        image = resize(photo.image[rows, columns], size, size)
        labels = cv2.resize(photo.labels[rows, columns], (size, size), interpolation=cv2.INTER_NEAREST)
        ignore = cv2.resize(photo.ignore[rows, columns].view(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
        ids, counts = np.unique(labels, return_counts=True)
        keep = [i for i, n in zip(ids, counts, strict=True) if i and n >= min_area * size * size]
        if keep:
            break
    masks = np.stack([labels == i for i in keep]) if keep else np.zeros((0, size, size), bool)
    if rng.random() < 0.5:
        image, masks, ignore = image[:, ::-1], masks[:, :, ::-1], ignore[:, ::-1]
    return View(
        np.ascontiguousarray(image),
        np.ascontiguousarray(masks).astype(np.uint8),
        np.ascontiguousarray(ignore).astype(bool),
    )


def cutout(rng: Rng, photo: Photo, side: int) -> tuple[Image, NDArray[np.uint8]] | None:
    """One region cut out, its longer side `side` pixels: image h x w x 3 and mask h x w (0/1); None if too small."""
    ids = photo.regions(0.01)
    if not ids:
        return None
    mask = (photo.labels == ids[int(rng.integers(len(ids)))]).view(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    scale = side / max(w, h)
    out = max(int(w * scale), 4), max(int(h * scale), 4)
    image = resize(photo.image[y : y + h, x : x + w], *out)
    cut = cv2.resize(
        mask[y : y + h, x : x + w], out, interpolation=cv2.INTER_LINEAR if scale < 1 else cv2.INTER_NEAREST
    )
    if rng.random() < 0.5:
        image, cut = image[:, ::-1], cut[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(cut).astype(np.uint8)


def soften(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur."""
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32)


def jitter(rng: Rng, image: Image) -> Image:
    """Random brightness, contrast, tint, now and then grey, blurred, noisy or coarse."""
    lit = (image - 127.0) * rng.uniform(0.7, 1.3) + 127 + rng.uniform(-25, 25) + rng.normal(0, 8, 3)
    if rng.random() < 0.08:
        lit = np.repeat(lit.mean(2, keepdims=True), 3, axis=2)
    out: NDArray[np.float32] = lit.astype(np.float32)
    kind = rng.random()
    if kind < 0.15:
        out = soften(out, rng.uniform(0.4, 1.3))
    elif kind < 0.3:
        small = cv2.resize(out, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    if rng.random() < 0.25:
        out = out + rng.normal(0, rng.uniform(2, 10), (*image.shape[:2], 1)).astype(np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)
