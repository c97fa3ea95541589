"""SAM 2's image encoder and mask decoder as pure functions of tensors, ready for `torch.export`.

They hold the official modules' own weights and compute the same numbers; what differs is the shape of the interface:
no Python flags, no video parts, any number of prompts on any number of images in one call.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from annotator.sam.layers import (
    ChannelMap,
    attend_from_image,
    attend_to_image,
    channel_norm,
    shuffle_twice,
    unshuffle_twice,
)
from annotator.sam.tiny_vit import TinyViT

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

STRIDE = 16
"""Input pixels per cell of the image embedding, along each side; mask logits have 4 x 4 pixels to a cell."""


class ImageEncoder(nn.Module):
    """Normalised images to the three feature maps the mask decoder reads.

    Folded into the graph once, in float32: the decoder's 1x1 convolutions `conv_s0`, `conv_s1` into the neck's 1x1
    laterals before them, the bicubic resize of the trunk's position embedding, and `no_mem_embed`.
    """

    no_memory: Tensor

    def __init__(self, model: SAM2Base) -> None:
        super().__init__()
        trunk, neck, decoder = model.image_encoder.trunk, model.image_encoder.neck, model.sam_mask_decoder
        self.trunk = trunk if isinstance(trunk, TinyViT) else HieraTrunk(trunk, model.image_size)
        # The neck lists its laterals from the coarsest level (stride 32, which TinyViT lacks) to the finest (stride 4).
        *coarse, middle, fine1, fine0 = (each.conv for each in neck.convs)
        self.lateral3 = coarse[0] if coarse else None
        self.lateral2 = middle
        self.lateral1 = _fold_1x1(fine1, decoder.conv_s1)
        self.lateral0 = _fold_1x1(fine0, decoder.conv_s0)
        no_memory = model.no_mem_embed if model.directly_add_no_mem_embed else torch.zeros(1, 1, neck.d_model)
        self.register_buffer("no_memory", no_memory.detach().reshape(1, -1, 1, 1).clone())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, S, S] -> image_embed [B, 256, s, s], feat_s0 [B, 512, s, s], feat_s1 [B, 256, s, s] with s = S/16.

        The official maps [B, 32, 4s, 4s] and [B, 64, 2s, 2s] are pixel-unshuffled to the embedding's cells.
        """
        stages = self.trunk(x)
        image_embed = self.lateral2(stages[2]) + self.no_memory
        if self.lateral3 is not None:
            image_embed = image_embed + F.interpolate(self.lateral3(stages[3]), scale_factor=2.0, mode="nearest")
        feat_s0, feat_s1 = unshuffle_twice(self.lateral0(stages[0])), F.pixel_unshuffle(self.lateral1(stages[1]), 2)
        return image_embed, feat_s0, feat_s1


class HieraTrunk(nn.Module):
    """The trunk of SAM 2.1 for inputs of one size."""

    pos_embed: Tensor

    def __init__(self, trunk: Any, image_size: int) -> None:
        super().__init__()
        side = image_size // 4
        self.patch_embed = trunk.patch_embed
        self.blocks = trunk.blocks
        self.stage_ends = tuple(trunk.stage_ends)
        self.register_buffer("pos_embed", trunk._get_pos_embed((side, side)).detach().contiguous())

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, S, S] -> the maps at strides 4, 8, 16 and 32."""
        x = self.patch_embed(x) + self.pos_embed
        stages: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.stage_ends:
                stages.append(x.permute(0, 3, 1, 2))
        return stages


def _fold_1x1(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One 1x1 convolution equal to `second(first(x))`."""
    folded = nn.Conv2d(first.in_channels, second.out_channels, 1)
    with torch.no_grad():
        w1, w2 = first.weight.flatten(1).double(), second.weight.flatten(1).double()
        folded.weight.copy_((w2 @ w1)[..., None, None])
        assert first.bias is not None and second.bias is not None
        assert folded.bias is not None
        folded.bias.copy_(w2 @ first.bias.double() + second.bias.double())
    return folded


class MaskDecoder(nn.Module):
    """Prompts and image features to mask logits: prompt encoder and mask decoder in one graph.

    `shared=False` takes prompts on several images and mask inputs; `shared=True` is the same function for prompts
    that all lie on one image and carry no mask: the first layer reads the image as it is, without a copy per prompt.
    """

    label_table: Tensor
    output_tokens: Tensor
    frequencies: Tensor
    image_pe: Tensor
    no_mask: Tensor

    def __init__(self, model: SAM2Base, shared: bool) -> None:
        super().__init__()
        prompt, decoder = model.sam_prompt_encoder, model.sam_mask_decoder
        self.shared = shared
        self.image_size = model.image_size
        self.side = model.image_size // STRIDE
        self.transformer = decoder.transformer
        down1, self.down_norm1, _, down2, self.down_norm2, _, down3 = prompt.mask_downscaling
        self.down1, self.down2, self.down3 = (ChannelMap.of_convolution(each) for each in (down1, down2, down3))
        up1, self.up_norm, _, up2, _ = decoder.output_upscaling
        self.up1, self.up2 = ChannelMap.of_transposed(up1), ChannelMap.of_transposed(up2)
        self.hyper_mlps = decoder.output_hypernetworks_mlps
        self.iou_head = decoder.iou_prediction_head
        self.object_head = decoder.pred_obj_score_head if decoder.pred_obj_scores else None
        self.stability_delta = decoder.dynamic_multimask_stability_delta
        self.stability_threshold = decoder.dynamic_multimask_stability_thresh
        with torch.no_grad():
            labels = [prompt.not_a_point_embed.weight, *(each.weight for each in prompt.point_embeddings)]
            tokens = [decoder.iou_token.weight, decoder.mask_tokens.weight]
            if decoder.pred_obj_scores:
                tokens.insert(0, decoder.obj_score_token.weight)
            # Row label + 1: -1 padding, 0 negative, 1 positive, 2 and 3 the corners of a box.
            self.register_buffer("label_table", torch.cat(labels).clone())
            self.register_buffer("output_tokens", torch.cat(tokens).clone())
            self.register_buffer("frequencies", prompt.pe_layer.positional_encoding_gaussian_matrix.clone())
            # [1, C, cells]: the position of every cell.
            self.register_buffer("image_pe", prompt.get_dense_pe().flatten(2).contiguous())
            self.register_buffer("no_mask", prompt.no_mask_embed.weight.reshape(1, -1, 1).clone())

    def embed_points(self, coords: Tensor, labels: Tensor) -> Tensor:
        """`coords` [B, N, 2] in model pixels and `labels` [B, N] -> [B, N + 1, 256], a padding token last."""
        coords = F.pad(coords, (0, 0, 0, 1))
        labels = F.pad(labels, (0, 1), value=-1)
        unit = 2 * ((coords + 0.5) / self.image_size) - 1
        angle = 2 * math.pi * (unit @ self.frequencies.float())
        position = torch.cat((angle.sin(), angle.cos()), dim=-1)
        position = torch.where((labels == -1).unsqueeze(-1), 0.0, position)
        return position.to(self.label_table.dtype) + self.label_table[labels + 1]

    def embed_masks(self, logits: Tensor) -> Tensor:
        """Mask inputs [B, 1, 4s, 4s] -> [B, 256, cells]."""
        x = self.down1(torch.unflatten(unshuffle_twice(logits), 1, (4, 4)).flatten(2))  # [B, 4, quarters of cells]
        x = F.gelu(channel_norm(x, self.down_norm1))
        x = self.down2(torch.unflatten(x, 2, (4, -1)).flatten(1, 2))  # [B, 16, cells]
        x = F.gelu(channel_norm(x, self.down_norm2))
        mapped: Tensor = self.down3(x)
        return mapped

    def forward(
        self,
        image_embed: Tensor,
        feat_s0: Tensor,
        feat_s1: Tensor,
        coords: Tensor,
        labels: Tensor,
        image_index: Tensor | None = None,
        mask_input: Tensor | None = None,
        has_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode B prompts on I images.

        image_embed [I, 256, s, s], feat_s0 [I, 512, s, s], feat_s1 [I, 256, s, s] from `ImageEncoder`; coords float32
        [B, N, 2] in model pixels, labels int64 [B, N]; and unless `shared`: image_index int64 [B] in 0..I-1, mask_input
        [B, 1, 4s, 4s] logits in -32..32, has_mask bool [B].
        Returns float32 logits [B, 4, 4s, 4s], predicted IoU [B, 4] and object score [B, 1]. Slot 0 is the single-mask
        answer, with the stability fallback; slots 1 to 3 are the multi-mask answers.
        """
        tokens = self.embed_points(coords, labels)
        tokens = torch.cat((self.output_tokens.expand(tokens.shape[0], -1, -1), tokens), dim=1)
        image, feat_s0, feat_s1 = (each.flatten(2) for each in (image_embed, feat_s0, feat_s1))
        if self.shared:
            image = image + self.no_mask  # [1, C, cells], for all prompts until the end of the first layer
        else:
            assert image_index is not None and mask_input is not None and has_mask is not None
            dense = torch.where(has_mask[:, None, None], self.embed_masks(mask_input.to(image.dtype)), self.no_mask)
            image = image.index_select(0, image_index) + dense
            feat_s0, feat_s1 = feat_s0.index_select(0, image_index), feat_s1.index_select(0, image_index)
        queries, image = self._transform(tokens, image)
        first = 0 if self.object_head is None else 1
        masks = self._predict_masks(queries[:, first + 1 : first + 5], image, feat_s0, feat_s1)
        iou = self.iou_head(queries[:, first]).float()
        if self.object_head is None:
            object_score = torch.full_like(iou[:, :1], 10.0)  # "certainly there", as the official decoder answers
        else:
            object_score = self.object_head(queries[:, 0]).float()
        single, single_iou = self._single_mask(masks, iou)
        return torch.cat((single, masks[:, 1:]), 1), torch.cat((single_iou, iou[:, 1:]), 1), object_score

    def _transform(self, tokens: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """The two-way transformer; `image` may be [1, C, cells] for all prompts, and leaves as [B, C, cells]."""
        queries = tokens
        for layer in self.transformer.layers:
            if layer.skip_first_layer_pe:
                queries = layer.self_attn(queries, queries, queries)
            else:
                q = queries + tokens
                queries = queries + layer.self_attn(q, q, queries)
            queries = layer.norm1(queries)
            placed = image + self.image_pe
            queries = queries + attend_to_image(layer.cross_attn_token_to_image, queries + tokens, placed, image)
            queries = layer.norm2(queries)
            queries = layer.norm3(queries + layer.mlp(queries))
            update = attend_from_image(layer.cross_attn_image_to_token, placed, queries + tokens, queries)
            image = channel_norm(image + update, layer.norm4)
        final = self.transformer.final_attn_token_to_image
        queries = queries + attend_to_image(final, queries + tokens, image + self.image_pe, image)
        return self.transformer.norm_final_attn(queries), image

    def _predict_masks(self, mask_tokens: Tensor, image: Tensor, feat_s0: Tensor, feat_s1: Tensor) -> Tensor:
        """Mask tokens [B, 4, 256] and the image after the transformer -> logits float32 [B, 4, 4s, 4s]."""
        x = torch.unflatten(self.up1(image) + feat_s1, 1, (-1, 4)).flatten(2)  # [B, 64, quarters of cells]
        x = self.up2(F.gelu(channel_norm(x, self.up_norm)))
        x = F.gelu(torch.unflatten(x, 2, (4, -1)).flatten(1, 2) + feat_s0)
        x = torch.unflatten(x, 1, (-1, 16)).flatten(2)  # [B, 32, pixels]
        hyper = torch.stack([mlp(mask_tokens[:, slot]) for slot, mlp in enumerate(self.hyper_mlps)], dim=1)
        masks = torch.unflatten((hyper @ x).float(), 2, (16, self.side, self.side))
        return shuffle_twice(masks.flatten(1, 2))

    def _single_mask(self, masks: Tensor, iou: Tensor) -> tuple[Tensor, Tensor]:
        """Slot 0 [B, 1, h, w] and its score, or the best multi-mask answer where slot 0 is unstable."""
        single = masks[:, :1]
        inner = (single > self.stability_delta).sum(dim=(2, 3))
        outer = (single > -self.stability_delta).sum(dim=(2, 3))
        stable = torch.where(outer > 0, inner.float() / outer.float(), 1.0) >= self.stability_threshold
        best = iou[:, 1:].argmax(dim=1, keepdim=True) + 1
        index = torch.where(stable, 0, best)
        picked = masks.gather(1, index[..., None, None].expand(-1, 1, masks.shape[2], masks.shape[3]))
        return picked, iou.gather(1, index)
