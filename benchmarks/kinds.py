"""Photos whose regions are of several kinds that are not told apart in their masks: kinds by colour and size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from annotator.cli.evaluate import LabelledPhoto

_SCALE = (0.15, 2.0, 0.5)
"""How much lightness, red against green, and yellow against blue count; light changes the first most."""

_SIZE = 0.4


def kinds_of(photos: Sequence[LabelledPhoto], count: int) -> list[dict[int, int]]:
    """The kind 0..count - 1 of each region id of each photo, by k-means over all photos with a fixed seed."""
    if count == 1:
        return [dict.fromkeys(region_ids(photo), 0) for photo in photos]
    keys: list[tuple[int, int]] = []
    rows: list[list[float]] = []
    for index, photo in enumerate(photos):
        lab = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
        for region in region_ids(photo):
            inside = photo.ids == region
            keys.append((index, region))
            rows.append([*lab[inside].mean(axis=0) * _SCALE, _SIZE * math.sqrt(inside.sum())])
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-3)
    start = np.empty(0, np.int32)
    _, found, _ = cv2.kmeans(np.array(rows, np.float32), count, start, stop, 10, cv2.KMEANS_PP_CENTERS)
    kinds: list[dict[int, int]] = [{} for _ in photos]
    for (index, region), kind in zip(keys, found.ravel(), strict=True):
        kinds[index][region] = int(kind)
    return kinds


def region_ids(photo: LabelledPhoto) -> list[int]:
    """The ids of a photo's regions of at least 9 pixels."""
    ids, areas = np.unique(photo.ids[photo.valid & (photo.ids > 0)], return_counts=True)
    return [int(each) for each in ids[areas >= 9]]
