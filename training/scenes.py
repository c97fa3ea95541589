"""Scenes drawn from nothing, or on top of a photo: textured things with parts, shading, shadows and occlusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.photos import Image, Rng, soften

Mask = NDArray[np.uint8]
Texture = Callable[[Rng, int, int], Image]  # (rng, width, height) -> image


@dataclass
class Scene:
    """An image S x S x 3 and the visible part of each region, N masks S x S (0/1). Regions may contain each other."""

    image: Image
    masks: list[Mask]
    ignore: NDArray[np.bool_]

    def cover(self, top: int, left: int, mask: Mask) -> None:
        """Take the pixels of `mask`, placed at (top, left), away from every region so far."""
        rows, columns = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
        free = 1 - mask
        for other in self.masks:
            other[rows, columns] &= free
        self.ignore[rows, columns] &= free.astype(bool)

    def add(self, top: int, left: int, mask: Mask) -> Mask:
        """A new region: `mask` placed at (top, left)."""
        full = np.zeros(self.image.shape[:2], np.uint8)
        full[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        self.masks.append(full)
        return full


def to_bytes(image: NDArray[np.floating[Any]]) -> Image:
    """Pixel values cut to 0..255."""
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def colour_texture(rng: Rng, width: int, height: int) -> Image:
    """A drawn texture: a colour with a gradient and, mostly, stripes, checks, blotches or grain in a second colour."""
    base = rng.uniform(0, 255, 3)
    second = rng.uniform(0, 255, 3) if rng.random() < 0.4 else base + rng.normal(0, 35, 3)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 30)
    along = (xs * np.cos(angle) + ys * np.sin(angle)).astype(np.float32)
    kind = rng.integers(6)
    if kind == 0:
        blend = 0.5 + 0.5 * np.sin(along * (2 * np.pi / period))
    elif kind == 1:
        across = -xs * np.sin(angle) + ys * np.cos(angle)
        blend = ((along // period + across // period) % 2).astype(np.float32)
    elif kind in (2, 3):
        blend = blotches(rng, width, height, float(rng.uniform(3, 24)))
    elif kind == 4:
        blend = rng.random((height, width), np.float32)
    else:
        blend = np.zeros((height, width), np.float32)
    slope = (along - along.mean()) / max(width, height) * rng.normal(0, 50)
    return to_bytes(base + (second - base) * blend[..., None] + slope[..., None])


def blotches(rng: Rng, width: int, height: int, scale: float) -> NDArray[np.float32]:
    """Smooth noise in 0..1 (height x width) with features of about `scale` pixels."""
    grid = rng.random((int(height / scale) + 3, int(width / scale) + 3)).astype(np.float32)
    fine = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.asarray(np.clip((fine - 0.5) * rng.uniform(1, 4) + 0.5, 0, 1), np.float32)


def outline(rng: Rng, width: int, height: int) -> Mask:
    """A random shape that fills about its box: mask height x width (0/1)."""
    mask = np.zeros((height, width), np.uint8)
    centre = np.array([width / 2, height / 2])
    kind = rng.random()
    if kind < 0.45:  # a smooth closed curve
        t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        radius = np.ones_like(t)
        for k in range(2, 7):
            radius += rng.normal(0, 0.35 / k) * np.cos(k * t + rng.uniform(0, 2 * np.pi))
        radius = np.clip(radius, 0.2, None) / max(radius.max(), 1e-3)
        points = centre + np.stack([np.cos(t), np.sin(t)], 1) * radius[:, None] * centre
    elif kind < 0.65:  # a polygon
        n = int(rng.integers(3, 8))
        t = np.sort(rng.uniform(0, 2 * np.pi, n))
        points = centre + np.stack([np.cos(t), np.sin(t)], 1) * rng.uniform(0.5, 1, (n, 1)) * centre
    elif kind < 0.85:  # a turned rectangle
        box = cv2.boxPoints(
            (tuple(centre), (width * rng.uniform(0.4, 0.95), height * rng.uniform(0.4, 0.95)), rng.normal(0, 25))
        )
        points = np.asarray(box)
    else:  # a thick bent line
        bends = rng.uniform(0.08, 0.92, (4, 2)) * [width, height]
        thickness = max(int(min(width, height) * rng.uniform(0.1, 0.3)), 2)
        cv2.polylines(mask, [bends.astype(np.int32)], False, 1, thickness)
        return mask
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask


def paint(rng: Rng, scene: Scene, top: int, left: int, mask: Mask, image: Image, shadow: bool) -> None:
    """Blend `image` (h x w x 3) into the scene through `mask`, its edge softened, lit from one side."""
    h, w = mask.shape
    alpha = mask.astype(np.float32)
    if rng.random() < 0.7:
        alpha = soften(alpha, rng.uniform(0.4, 1.0))
    pixels = image.astype(np.float32)
    if rng.random() < 0.5:
        slope = np.linspace(rng.uniform(0.55, 1.0), rng.uniform(0.9, 1.25), w if rng.random() < 0.5 else h).astype(
            np.float32
        )
        pixels = pixels * (slope[None, :, None] if len(slope) == w else slope[:, None, None])
    if rng.random() < 0.25:  # round: darker towards the border
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
        pixels = pixels * (0.55 + 0.45 * np.sqrt(depth / max(float(depth.max()), 1)))[..., None]
    size = scene.image.shape[0]
    if shadow:
        dy, dx = (int(v) for v in rng.integers(-5, 8, 2) * size // 192)
        y0, x0 = max(top + dy, 0), max(left + dx, 0)
        y1, x1 = min(top + dy + h, size), min(left + dx + w, size)
        if y1 > y0 and x1 > x0:
            dark = soften(mask.astype(np.float32), rng.uniform(1, 4))
            dark = dark[y0 - top - dy : y1 - top - dy, x0 - left - dx : x1 - left - dx, None] * rng.uniform(0.2, 0.6)
            scene.image[y0:y1, x0:x1] = (scene.image[y0:y1, x0:x1] * (1 - dark)).astype(np.uint8)
    under = scene.image[top : top + h, left : left + w].astype(np.float32)
    blended = under + (pixels - under) * alpha[..., None]
    scene.image[top : top + h, left : left + w] = to_bytes(blended)


def clip_to(scene: Scene, top: int, left: int, mask: Mask) -> tuple[int, int, slice, slice]:
    """The part of a mask placed at (top, left) that lies in the scene: its new corner and the slices of the mask."""
    size = scene.image.shape[0]
    y0, x0 = max(top, 0), max(left, 0)
    rows = slice(y0 - top, max(min(top + mask.shape[0], size), y0) - top)
    columns = slice(x0 - left, max(min(left + mask.shape[1], size), x0) - left)
    return y0, x0, rows, columns


def put(rng: Rng, scene: Scene, top: int, left: int, mask: Mask, image: Image) -> Mask | None:
    """Paint one thing and register it; corners may lie outside the scene. None when nothing of it is inside."""
    y, x, rows, columns = clip_to(scene, top, left, mask)
    mask, image = mask[rows, columns], image[rows, columns]
    if not mask.any():
        return None
    paint(rng, scene, y, x, mask, image, shadow=rng.random() < 0.35)
    scene.cover(y, x, mask)
    return scene.add(y, x, mask)


def draw_thing(rng: Rng, scene: Scene, texture: Texture) -> None:
    """A thing of one to four pieces, some with a part of another texture; regions: pieces, parts and the whole."""
    size = scene.image.shape[0]
    side = size * float(np.exp(rng.uniform(np.log(0.1), np.log(0.6))))
    aspect = float(np.exp(rng.normal(0, 0.4)))
    w, h = max(int(side * aspect**0.5), 8), max(int(side / aspect**0.5), 8)
    left, top = int(rng.integers(-w // 3, size - w // 2)), int(rng.integers(-h // 3, size - h // 2))
    pieces = int(rng.choice([1, 1, 2, 3, 4])) if side > size * 0.2 else 1
    first = len(scene.masks)
    for k in range(pieces):
        pw, ph = (w, h) if k == 0 else (max(int(w * rng.uniform(0.3, 0.7)), 6), max(int(h * rng.uniform(0.3, 0.7)), 6))
        py, px = (
            (top, left) if k == 0 else (top + int(rng.uniform(-0.3, 0.8) * h), left + int(rng.uniform(-0.3, 0.8) * w))
        )
        if px >= size or py >= size or px + pw <= 0 or py + ph <= 0:
            continue
        mask = outline(rng, pw, ph)
        piece = put(rng, scene, py, px, mask, texture(rng, pw, ph))
        if piece is not None and side > size * 0.25 and rng.random() < 0.4:  # a part inside the piece
            qw, qh = max(int(pw * rng.uniform(0.25, 0.5)), 4), max(int(ph * rng.uniform(0.25, 0.5)), 4)
            oy, ox = int(rng.integers(ph - qh + 1)), int(rng.integers(pw - qw + 1))
            part = outline(rng, qw, qh) & mask[oy : oy + qh, ox : ox + qw]
            whole = piece.copy()
            if put(rng, scene, py + oy, px + ox, part, texture(rng, qw, qh)) is not None:
                piece[:] = whole  # the part belongs to the piece
    if len(scene.masks) - first > 1:  # all pieces and parts together
        scene.masks.append(np.bitwise_or.reduce(scene.masks[first:]))


def drawn(rng: Rng, size: int, texture: Texture) -> Scene:
    """A crowded drawn scene on a background of one or two textures, each a region as well."""
    scene = Scene(texture(rng, size, size), [np.ones((size, size), np.uint8)], np.zeros((size, size), bool))
    if rng.random() < 0.5:  # a horizon or a wall: split the background by a line
        a, b = rng.uniform(0.2, 0.8, 2) * size
        line = np.array([[0, a], [size, b], [size, size], [0, size]]).astype(np.int32)
        mask = np.zeros((size, size), np.uint8)
        cv2.fillPoly(mask, [line if rng.random() < 0.6 else line[:, ::-1]], 1)
        put(rng, scene, 0, 0, mask, texture(rng, size, size))
    for _ in range(int(rng.integers(5, 16))):
        draw_thing(rng, scene, texture)
    return scene
