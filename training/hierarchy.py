"""A hierarchy of regions from a map of edges, without labels: an ultrametric contour map (Arbelaez et al. 2011).

Small pieces between edges are merged in the order of the mean edge between them. A region of the hierarchy counts the
more, the stronger the edges around it are compared with those inside it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

KEPT = 48  # regions kept of each photo
LEAST, MOST = 0.004, 0.6  # their area, in parts of the photo's
SMALL = 0.002  # pieces below this share merge more readily: an edge has a width, and pieces of its own
ALIKE = 0.8  # nodes of the tree whose areas differ by less than this factor are one region that grows
GAP = 0.15  # how much stronger the edge around a region is than any inside it, at least
OVERLAP = 0.85  # of two regions with a larger IoU one is kept


@dataclass(frozen=True)
class Hierarchy:
    """Regions of a photo: `leaves` (h x w, uint16) numbers small pieces so that each region is a range of numbers.

    `ranges` (N x 2, uint16): first and one past the last piece of each region, best region first.
    """

    leaves: NDArray[np.uint16]
    ranges: NDArray[np.uint16]

    def mask(self, index: int) -> NDArray[np.uint8]:
        """One region, h x w, 0/1."""
        start, stop = self.ranges[index]
        rough = ((self.leaves >= start) & (self.leaves < stop)).view(np.uint8)
        return np.asarray(cv2.medianBlur(rough, 5), np.uint8)  # no single pieces of an edge's width

    def compact(self, count: int) -> Hierarchy:
        """The `count` best regions; pieces that none of them tells apart become one."""
        ranges = self.ranges[:count].astype(np.int64)
        starts = np.unique(ranges)
        leaves = np.searchsorted(starts, self.leaves, side="right")
        return Hierarchy(leaves.astype(np.uint16), (np.searchsorted(starts, ranges) + 1).astype(np.uint16))

    def to_bytes(self) -> bytes:
        """As a PNG of the pieces with the ranges behind it."""
        small = self.leaves.astype(np.uint8) if self.leaves.max() < 256 else self.leaves
        ok, png = cv2.imencode(".png", small)
        assert ok
        return np.uint32(len(png)).tobytes() + png.tobytes() + self.ranges.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Hierarchy:
        """The opposite of `to_bytes`."""
        end = 4 + int(np.frombuffer(content[:4], np.uint32)[0])
        leaves = cv2.imdecode(np.frombuffer(content[4:end], np.uint8), cv2.IMREAD_UNCHANGED)
        return cls(np.asarray(leaves, np.uint16), np.frombuffer(content[end:], np.uint16).reshape(-1, 2))


def borders(leaves: NDArray[np.int32], edge: NDArray[np.float32]) -> list[dict[int, tuple[float, int]]]:
    """For each piece its neighbours: the sum of the edge along their border, and the border's length in pixels."""
    first, second, between = [], [], []
    for a, b, ea, eb in (
        (leaves[:, :-1], leaves[:, 1:], edge[:, :-1], edge[:, 1:]),
        (leaves[:-1], leaves[1:], edge[:-1], edge[1:]),
    ):
        differ = a != b
        first.append(np.minimum(a, b)[differ])
        second.append(np.maximum(a, b)[differ])
        between.append(np.maximum(ea, eb)[differ])
    count = int(leaves.max()) + 1
    pairs, place = np.unique(
        np.concatenate(first).astype(np.int64) * count + np.concatenate(second), return_inverse=True
    )
    total, length = np.bincount(place, np.concatenate(between)), np.bincount(place)
    neighbours: list[dict[int, tuple[float, int]]] = [{} for _ in range(count)]
    for pair, s, n in zip(pairs.tolist(), total.tolist(), length.tolist(), strict=True):
        a, b = divmod(pair, count)
        neighbours[a][b] = neighbours[b][a] = (s, n)
    return neighbours


def merge(
    neighbours: list[dict[int, tuple[float, int]]], shares: list[float]
) -> tuple[list[tuple[int, int]], list[float]]:
    """Merge the two pieces with the weakest border until one is left: the pairs, and the height of each merge.

    `shares` are the areas of the pieces, in parts of the photo. Merge k makes the node `len(neighbours) + k`. Heights
    never fall.
    """
    links, shares = [dict(each) for each in neighbours], list(shares)

    def height_of(a: int, b: int) -> float:
        s, n = links[a][b]
        return s / n * min(1.0, min(shares[a], shares[b]) / SMALL)

    heap = [(height_of(a, b), a, b) for a, each in enumerate(links) for b in each if a < b]
    heapq.heapify(heap)
    alive = [True] * len(links)
    pairs: list[tuple[int, int]] = []
    heights: list[float] = []
    while heap:
        height, a, b = heapq.heappop(heap)
        if not (alive[a] and alive[b]):
            continue
        node = len(links)
        alive[a] = alive[b] = False
        alive.append(True)
        joined: dict[int, tuple[float, int]] = {}
        for old in (a, b):
            for other, (s, n) in links[old].items():
                if other not in (a, b):
                    before = joined.get(other, (0.0, 0))
                    joined[other] = (before[0] + s, before[1] + n)
        for other, (s, n) in joined.items():
            links[other].pop(a, None)
            links[other].pop(b, None)
            links[other][node] = (s, n)
        links.append(joined)
        shares.append(shares[a] + shares[b])
        for other in joined:
            heapq.heappush(heap, (height_of(other, node), other, node))
        pairs.append((a, b))
        heights.append(max(height, heights[-1] if heights else 0.0))
    return pairs, heights


def hierarchy(edge: NDArray[np.float32], pieces: NDArray[np.int32]) -> Hierarchy:
    """The hierarchy of regions of an edge map h x w, cut into pieces numbered from 0."""
    count = int(pieces.max()) + 1
    share = (np.bincount(pieces.ravel()) / pieces.size).tolist()
    pairs, heights = merge(borders(pieces, edge), share)
    # Number the pieces in the order of the tree, from its root, so that each node is a range.
    nodes = count + len(pairs)
    start, size, parent = np.zeros(nodes, int), np.ones(nodes, int), np.full(nodes, -1)
    for k, (a, b) in enumerate(pairs):
        size[count + k] = size[a] + size[b]
        share.append(share[a] + share[b])
        parent[a] = parent[b] = count + k
    birth = [0.0] * count + heights
    for k in reversed(range(len(pairs))):
        a, b = pairs[k]
        start[a], start[b] = start[count + k], start[count + k] + size[a]
    leaves = start[:count][pieces].astype(np.uint16)
    gap = np.zeros(nodes)
    for node in range(nodes):
        if not LEAST <= share[node] <= MOST:
            continue
        core, whole = node, node
        while core >= count and (larger := max(pairs[core - count], key=share.__getitem__)) is not None:
            if share[larger] < ALIKE * share[node]:
                break
            core = larger
        while parent[whole] >= 0 and share[parent[whole]] * ALIKE <= share[node]:
            whole = int(parent[whole])
        death = birth[parent[whole]] if parent[whole] >= 0 else 1.0
        gap[node] = death - birth[core]
    area = np.concatenate([[0], np.cumsum(np.bincount(leaves.ravel(), minlength=count))])
    fit = np.flatnonzero(gap >= GAP)
    ranges: list[tuple[int, int]] = []
    for node in fit[np.argsort(-gap[fit], kind="stable")]:
        first, last = int(start[node]), int(start[node] + size[node])
        inside = area[last] - area[first]
        for f, e in ranges:  # two nodes are apart, or one holds the other
            if (f <= first and last <= e) or (first <= f and e <= last):
                other = area[e] - area[f]
                if min(inside, other) >= OVERLAP * max(inside, other):
                    break
        else:
            ranges.append((first, last))
        if len(ranges) == KEPT:
            break
    return Hierarchy(leaves, np.array(ranges, np.uint16).reshape(-1, 2)).compact(KEPT)
