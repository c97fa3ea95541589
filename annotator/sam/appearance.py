"""What objects look like, learnt from a few of them.

A linear discriminant (Hariharan, Malik & Ramanan 2012) separates the examples from the rest of their image: what all of
the image has in common counts little, what sets the examples apart counts much.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from annotator.masks import rle as rles
from annotator.masks.geometry import coverage
from annotator.sam.predictor import ImageEmbedding
from annotator.types import RLE, FloatArray

_SHRINKAGE = 0.3
"""Share of each channel's own variance that is added to it, so that few cells are enough to learn from."""

_TINY = 1e-6


def feature_map(embedding: ImageEmbedding) -> Tensor:
    """float32 [32, 2s, 2s]: of the embedding's three maps the one that tells alike from unlike best, the finest."""
    quarters = F.pixel_shuffle(embedding.feat_s0[None].float(), 2)[0]  # of cells, with 2 x 2 pixels a channel each
    return torch.unflatten(quarters, 0, (-1, 4)).mean(dim=1)


def pool(features: Tensor, mask: RLE) -> Tensor:
    """The mean [C] of features [C, s, s] over a mask."""
    weights = torch.from_numpy(coverage(mask, features.shape[-1])).to(features.device)
    return torch.einsum("chw,hw->c", features, weights)


class Appearance:
    """What examples look like and how large they are, against the background of their images."""

    @torch.inference_mode()
    def __init__(self, features: Tensor, areas: Tensor, mean: Tensor, scatter: Tensor) -> None:
        """`features` [N, C] and `areas` [N], in pixels, are of N examples.

        `mean` [C] and `scatter` [C, C] are of the cells of their images.
        """
        self._features, self._areas, self._mean, self._scatter = features, areas, mean, scatter
        self.log_area = float(areas.log().mean())
        apart = features.mean(dim=0) - mean
        weight = torch.linalg.solve(scatter, apart)
        self._length = (weight @ apart).clamp(min=_TINY)
        self._weight = weight / self._length

    @torch.inference_mode()
    def likeness(self, embedding: ImageEmbedding) -> Tensor:
        """The map of likeness, float32 [2s, 2s], of an image or a part of one.

        1 is the mean of the examples, 0 the mean of their images. It is linear in the features, so that the likeness of
        a mask is the mean of the map over its pixels.
        """
        likeness: Tensor = torch.einsum("c,chw->hw", self._weight, feature_map(embedding)) - self._weight @ self._mean
        return likeness

    def alike(self, features: Tensor) -> Tensor:
        """How much features [..., C] of masks are those of examples, 0 to 1.

        The share of their difference from the mean of the images that lies in the direction of the examples (cos^2 in
        the metric of the discriminant): a pale one of the same kind differs in the same direction, another kind does
        not. How far it lies in that direction counts for less, by its square root.
        """
        difference = features - self._mean
        along = difference @ self._weight
        distance = (difference * torch.linalg.solve(self._scatter, difference.mT).mT).sum(dim=-1)
        share = along.square() * self._length / distance.clamp(min=_TINY)
        alike: Tensor = share.clamp(0, 1) * along.clamp(0, 1).sqrt()
        return alike

    def with_more(self, features: Tensor, areas: Tensor) -> Appearance:
        """Learnt from more examples [M, C], [M] of the same images."""
        both = torch.cat((self._features, features)), torch.cat((self._areas, areas))
        return Appearance(*both, self._mean, self._scatter)


@torch.inference_mode()
def learn(examples: Sequence[tuple[ImageEmbedding, RLE]]) -> Appearance:
    """The appearance of one object or several, each given by its mask in the image of its embedding."""
    of_examples, of_images, moments = [], [], []
    for embedding, mask in examples:
        features = feature_map(embedding)
        of_examples.append(pool(features, mask))
        cells = features.flatten(1)
        of_images.append(cells.mean(dim=1))
        moments.append(cells @ cells.T / cells.shape[1])
    mean = torch.stack(of_images).mean(dim=0)
    scatter = torch.stack(moments).mean(dim=0) - torch.outer(mean, mean)
    scatter += torch.diag(_SHRINKAGE * scatter.diagonal() + _TINY)
    areas = torch.tensor([float(max(1, rles.area(mask))) for _, mask in examples], device=mean.device)
    return Appearance(torch.stack(of_examples), areas, mean, scatter)


@torch.inference_mode()
def describe(embedding: ImageEmbedding, mask: RLE) -> FloatArray:
    """What a mask of the embedding's image shows, float32 [C] of length 1: its colours and textures."""
    vector: FloatArray = F.normalize(pool(feature_map(embedding), mask), dim=0).numpy(force=True)
    return vector
