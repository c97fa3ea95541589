"""The network: built from its YAML file, its first weights, and encode/decode for a batch of images and prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

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


def build(config: Path, size: int | None = None) -> SAM2Base:
    """The network of a YAML file with random weights, for square inputs of `size` pixels (default: the file's)."""
    model = cast(SAM2Base, instantiate(OmegaConf.load(config).model))
    set_size(model, size or model.image_size)
    return model


def set_size(model: SAM2Base, size: int) -> None:
    """Change the input size in place; no weight depends on it."""
    grid = size // model.backbone_stride
    model.image_size = size
    model.sam_image_embedding_size = grid
    model.sam_prompt_encoder.input_image_size = (size, size)
    model.sam_prompt_encoder.image_embedding_size = (grid, grid)
    model.sam_prompt_encoder.mask_input_size = (4 * grid, 4 * grid)


def initialise(model: SAM2Base, gain: float) -> None:
    """First weights that make the decoder listen to the prompt.

    With random projections every click gives the same mask for thousands of steps. Equal query and key projections
    turn each cross attention into a similarity: through the shared position code a click attends to its surroundings,
    and its surroundings to the click, from the first step on. Value and output projections that are each other's
    transpose then let the click carry what it sees there in the same basis, so that things that look alike attend to
    it too. For that the features must not drown the position code: the neck starts with outputs of its size. The trunk
    must have its weights already.
    """
    transformer = model.sam_mask_decoder.transformer
    crossings = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        crossings += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for attention in crossings:
        nn.init.orthogonal_(attention.q_proj.weight, gain)
        attention.k_proj.weight.data.copy_(attention.q_proj.weight.data)
        nn.init.zeros_(attention.q_proj.bias)
        nn.init.zeros_(attention.k_proj.bias)
    for layer in transformer.layers:
        attention = layer.cross_attn_token_to_image
        nn.init.orthogonal_(attention.v_proj.weight)
        attention.out_proj.weight.data.copy_(attention.v_proj.weight.data.T)
    calm_neck(model)


@torch.no_grad()
def calm_neck(model: SAM2Base, scale: float = 0.8) -> None:
    """Scale and shift the two coarse levels of the neck so that embeddings of noise have mean 0, size `scale`."""
    training, size = model.training, model.image_size
    noise = F.interpolate(torch.randn(8, 3, 12, 12), (size, size), mode="bicubic")
    model.eval()
    embedding = encode(model, noise).embedding
    model.train(training)
    mean = embedding.mean((0, 2, 3))
    factor = scale / float((embedding - mean.view(1, -1, 1, 1)).square().mean().sqrt())
    convs = model.image_encoder.neck.convs  # coarse to fine
    convs[1].conv.bias -= mean
    for parameter in (*convs[0].conv.parameters(), *convs[1].conv.parameters(), model.no_mem_embed):
        parameter.mul_(factor)


def freeze_object_score(model: SAM2Base) -> None:
    """Object score: always +10 ("present"), never trained, so that no caller of it ever loses a mask."""
    head = model.sam_mask_decoder.pred_obj_score_head
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, 10.0)
    head.requires_grad_(False)


def normalise(images: Tensor) -> Tensor:
    """uint8 B x S x S x 3 (RGB) to float B x 3 x S x S, ImageNet mean and deviation."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std  # channels last, as the trunk likes it


def encode(model: SAM2Base, images: Tensor) -> Features:
    """Normalised images B x 3 x S x S to features.

    The same as the model's `forward_image`, except that the two 1x1 convolutions of each fine level (the neck's to 256
    channels, the decoder's back to few) are multiplied into one, which spares the wide maps in between.
    """
    levels = model.image_encoder.trunk(images)  # strides 4, 8, 16, 32
    neck = [conv.conv for conv in reversed(model.image_encoder.neck.convs)]
    coarse = F.interpolate(neck[3](levels[3]), scale_factor=2.0, mode=model.image_encoder.neck.fpn_interp_model)
    embedding = neck[2](levels[2]) + coarse + model.no_mem_embed.view(1, -1, 1, 1)
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
