"""Training samples: scenes with several regions to ask for, from photos and drawings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.config import Config, Phase
from training.photos import Image, Photo, PhotoFile, Rng, crop, cutout, jitter, resize, window
from training.prompts import centre_of
from training.scenes import Mask, Scene, colour_texture, draw_thing, drawn, put


class Sample(TypedDict):
    """One scene of side S with P regions; a batch stacks these in front."""

    image: Tensor  # uint8 S x S x 3, RGB
    masks: Tensor  # uint8 P x S x S, 0/1
    ignore: Tensor  # bool S x S: pixels that count for no region
    centre: Tensor  # float P x 2: the (x, y) of each region's point farthest from its border
    box: Tensor  # float P x 4: x0, y0, x1, y1 of each region
    near: Tensor  # int64 P x K x 2: the (x, y) of random pixels near each region's border


class Scenes(IterableDataset[Sample]):
    """An endless stream of samples; the stream of (seed, start, worker) is always the same."""

    def __init__(self, photos: Sequence[PhotoFile | Photo], config: Config, phase: Phase, start: int) -> None:
        self.photos = photos
        self.config = config
        self.phase = phase
        self.start = start
        weight = np.array([config.sources.get(p.source, 1.0) for p in photos])
        count = {s: sum(p.source == s for p in photos) for s in {p.source for p in photos}}
        weight = weight / np.array([count[p.source] for p in photos])
        self.chance = weight / weight.sum()
        # Textures come from sources of everyday things, never from microscopes or print.
        self.plain = [p for p in photos if p.source not in ("nuclei", "particles", "publaynet")] or photos

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.config.seed, self.start, worker.id if worker else 0])
        while True:
            sample = self.sample(rng)
            if sample is not None:
                yield sample

    def pick(self, rng: Rng) -> Photo:
        """A random photo, by the shares of the sources."""
        return self.photos[int(rng.choice(len(self.photos), p=self.chance))].decode()

    def texture(self, rng: Rng, width: int, height: int) -> Image:
        """A drawn texture or a patch of a photo."""
        if rng.random() < 0.55:
            return colour_texture(rng, width, height)
        photo = self.plain[int(rng.integers(len(self.plain)))].decode()
        rows, columns = window(rng, photo.labels.shape[0], photo.labels.shape[1], least=0.02, stretch=1.5)
        if rng.random() < 0.6:  # a small patch: one material rather than a whole picture
            h, w = (rows.stop - rows.start) // 3 + 8, (columns.stop - columns.start) // 3 + 8
            rows, columns = slice(rows.start, rows.start + h), slice(columns.start, columns.start + w)
        return resize(photo.image[rows, columns], width, height)

    def collage(self, rng: Rng) -> Scene:
        """A photo with its regions, often with regions of other photos and drawn things on top."""
        size = self.phase.size
        view = crop(rng, self.pick(rng), size, self.config.min_area)
        scene = Scene(view.image, list(view.masks), view.ignore)
        few = len(scene.masks) < 4
        if rng.random() >= self.phase.paste * (1.0 if few else 0.5):
            return scene
        for _ in range(int(rng.integers(1, 6 if few else 3))):
            if rng.random() < 0.3:
                draw_thing(rng, scene, self.texture)
                continue
            side = int(size * np.exp(rng.uniform(np.log(0.12), np.log(0.6))))
            cut = cutout(rng, self.pick(rng), side)
            if cut is not None:
                h, w = cut[1].shape
                top, left = int(rng.integers(-h // 3, size - h // 2)), int(rng.integers(-w // 3, size - w // 2))
                put(rng, scene, top, left, cut[1], cut[0])
        return scene

    def sample(self, rng: Rng) -> Sample | None:
        """One sample, or None when the scene holds no region worth asking for."""
        size, prompts = self.phase.size, self.phase.prompts
        scene = drawn(rng, size, self.texture) if rng.random() < self.phase.drawn else self.collage(rng)
        return pack(rng, scene, prompts, self.config)


def pack(rng: Rng, scene: Scene, prompts: int, config: Config) -> Sample | None:
    """A sample of `prompts` random regions of a scene; None when it holds no region worth asking for."""
    valid = ~scene.ignore
    least = max(config.min_area * valid.size, 12)
    large = [m for m in scene.masks if int((m.astype(bool) & valid).sum()) >= least]
    if not large:
        return None
    order = rng.permutation(len(large))
    chosen = [large[order[k % len(large)]] for k in range(prompts)]
    boxes = [cv2.boundingRect(m) for m in chosen]
    return {
        "image": torch.from_numpy(jitter(rng, scene.image)),
        "masks": torch.from_numpy(np.stack(chosen)),
        "ignore": torch.from_numpy(scene.ignore),
        "centre": torch.tensor([centre_of(m) for m in chosen], dtype=torch.float32),
        "box": torch.tensor([(x, y, x + w - 1, y + h - 1) for x, y, w, h in boxes], dtype=torch.float32),
        "near": torch.from_numpy(np.stack([near_border(rng, m, valid, config.edge_points) for m in chosen])),
    }


def near_border(rng: Rng, mask: Mask, valid: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """(x, y) of `count` random pixels within 1 % of the side from a mask's border, or anywhere if it has none."""
    reach = np.ones((max(len(mask) // 50, 2) | 1,) * 2, np.uint8)
    band = np.flatnonzero((cv2.dilate(mask, reach) != cv2.erode(mask, reach)) & valid)
    places = band[rng.integers(len(band), size=count)] if len(band) else rng.integers(mask.size, size=count)
    y, x = np.divmod(places, mask.shape[1])
    return np.stack([x, y], 1).astype(np.int64)


def loader(
    photos: Sequence[PhotoFile | Photo], config: Config, phase: Phase, start: int, workers: int
) -> DataLoader[Sample]:
    """Batches of a phase, from `workers` processes; `start` (the step) makes a resumed stream a new one."""
    return DataLoader(
        Scenes(photos, config, phase, start),
        batch_size=phase.images,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
