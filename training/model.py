"""The network: built from its YAML file, its first weights, and encode/decode for a batch of images and prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sam2.build_sam import _load_checkpoint
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from annotator.settings import ASSETS_DIR

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
LOGIT_LIMIT = 32.0  # previous logits are clamped to this before they are fed back, as the official predictor does


@dataclass(frozen=True)
class Features:
    """What the encoder gives for B images of side S."""

    embedding: Tensor  # B x 256 x S/16 x S/16
    high_res: tuple[Tensor, Tensor]  # B x 32 x S/4 x S/4 and B x 64 x S/8 x S/8

    def select(self, index: Tensor) -> Features:
        """One row per prompt: `index` (N,) names each prompt's image."""
        first, second = self.high_res
        return Features(self.embedding[index], (first[index], second[index]))


def build(size: int | None = None) -> SAM2Base:
    """The network with random weights, for square inputs of `size` pixels (default: as published)."""
    model = cast(SAM2Base, instantiate(OmegaConf.load(ASSETS_DIR / "nano.yaml").model))
    set_size(model, size or model.image_size)
    return model


def load(weights: Path, size: int | None = None) -> SAM2Base:
    """The network with the weights of a checkpoint, ready to answer."""
    model = build(size)
    _load_checkpoint(model, weights)
    return model.eval()


def set_size(model: SAM2Base, size: int) -> None:
    """Change the input size in place; no weight depends on it."""
    grid = size // model.backbone_stride
    model.image_size = size
    model.sam_image_embedding_size = grid
    model.sam_prompt_encoder.input_image_size = (size, size)
    model.sam_prompt_encoder.image_embedding_size = (grid, grid)
    model.sam_prompt_encoder.mask_input_size = (4 * grid, 4 * grid)


def freeze_fine_stages(model: SAM2Base) -> None:
    """Keep the trunk as it is down to stride 8. Edges and textures are known there already, and a step is cheaper."""
    trunk = model.image_encoder.trunk
    for part in (trunk.stem, trunk.convolutions, trunk.stages[0]):
        part.requires_grad_(False)


def normalise(images: Tensor) -> Tensor:
    """uint8 B x S x S x 3 (RGB) to float B x 3 x S x S, ImageNet mean and deviation."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std  # channels last


def encode(model: SAM2Base, images: Tensor) -> Features:
    """Normalised images B x 3 x S x S to features.

    The same as the model's `forward_image`, except that the two 1x1 convolutions of each fine level (the neck's to 256
    channels, the decoder's back to few) are multiplied into one, which spares the wide maps in between.
    """
    levels = model.image_encoder.trunk(images)  # strides 4, 8, 16
    neck = [conv.conv for conv in reversed(model.image_encoder.neck.convs)]
    embedding = neck[2](levels[2]) + model.no_mem_embed.view(1, -1, 1, 1)
    decoder = model.sam_mask_decoder
    return Features(embedding, (fused(neck[0], decoder.conv_s0, levels[0]), fused(neck[1], decoder.conv_s1, levels[1])))


def fused(first: nn.Conv2d, second: nn.Conv2d, x: Tensor) -> Tensor:
    """`second(first(x))` for two 1x1 convolutions, as one."""
    outer = second.weight.flatten(1)
    bias = outer @ cast(Tensor, first.bias) + cast(Tensor, second.bias)
    return F.conv2d(x, (outer @ first.weight.flatten(1))[:, :, None, None], bias)


def decode(
    model: SAM2Base, features: Features, points: Tensor, labels: Tensor, previous: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Answers to N prompts, one row of features each.

    points N x K x 2 in input pixels (x, y); labels N x K (1 positive, 0 negative, 2 and 3 box corners); previous
    logits N x 1 x S/4 x S/4 or None. Returns logits N x 4 x S/4 x S/4 and scores N x 4 in 0..1: slot 0 is the single
    mask, slots 1 to 3 the three candidates.
    """
    if previous is not None:
        previous = previous.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    sparse, dense = model.sam_prompt_encoder(points=(points, labels), boxes=None, masks=previous)
    masks, scores, _, _ = model.sam_mask_decoder.predict_masks(
        image_embeddings=features.embedding,
        image_pe=model.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=list(features.high_res),
    )
    return masks, scores
