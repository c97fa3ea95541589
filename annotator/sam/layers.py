"""The mask decoder's arithmetic, arranged for many image cells and few prompt tokens.

An image is a matrix [C, cells], channels first as the encoder leaves it, and never transposed: each layer is one matrix
product over all cells. Maps finer than the embedding are kept pixel-unshuffled to its cells, which makes convolutions
of size and stride 2 such products too, in both directions.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelMap(nn.Module):
    """[B, in, P] -> [B, out, P], the same linear map at each of P places."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """`weight` [out, in], `bias` [out]."""
        super().__init__()
        self.register_buffer("weight", weight.detach().clone())
        self.register_buffer("bias", bias.detach()[:, None].clone())

    @classmethod
    def of_convolution(cls, conv: nn.Conv2d) -> ChannelMap:
        """One whose stride is its size; channels come in as `F.pixel_unshuffle` orders them."""
        assert conv.bias is not None
        return cls(conv.weight.flatten(1), conv.bias)

    @classmethod
    def of_transposed(cls, conv: nn.ConvTranspose2d) -> ChannelMap:
        """One whose stride is its size; channels go out as `F.pixel_shuffle` expects them."""
        assert conv.bias is not None
        return cls(conv.weight.flatten(1).T, conv.bias.repeat_interleave(conv.weight[0, 0].numel()))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the map."""
        return self.weight @ x + self.bias


def unshuffle_twice(x: Tensor) -> Tensor:
    """[B, C, 4s, 4s] -> [B, 16 C, s, s]; the channels of a cell are C, then its quarters' pixels, then its quarters."""
    return F.pixel_unshuffle(F.pixel_unshuffle(x, 2), 2)


def shuffle_twice(x: Tensor) -> Tensor:
    """The inverse: [B, 16 C, s, s] -> [B, C, 4s, 4s]."""
    return F.pixel_shuffle(F.pixel_shuffle(x, 2), 2)


def channel_norm(x: Tensor, norm: Any) -> Tensor:
    """Layer normalisation of [B, C, P] over C, computed in float32, with the weights of any module that does it."""
    y = x.float()
    y = y - y.mean(dim=1, keepdim=True)
    y = y * torch.rsqrt(y.square().mean(dim=1, keepdim=True) + norm.eps)
    result: Tensor = y * norm.weight[:, None] + norm.bias[:, None]
    return result.to(x.dtype)


# An image has thousands of cells, a prompt some eight tokens. So what attention would project in each cell is projected
# on the tokens' side instead: q . (W x) = (W^T q) . x, and sum_i a_i (W x_i) = W (sum_i a_i x_i). With 8 heads of 16
# dimensions and 8 tokens a cell costs 64 dot products of 256 instead of 128, and nothing but scores is written for it.
# More than 16 tokens cost more this way, but a prompt of so many points is rare.


def attend_to_image(attention: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """sam2's `Attention` from tokens `queries` [B, T, C] to an image: `keys` and `values` [B or 1, C, cells]."""
    q = _heads(attention, attention.q_proj(queries))
    q = q * q.shape[-1] ** -0.5
    # The bias of k_proj adds the same to all scores of a query, so softmax does not see it.
    q = torch.einsum("bthd,hdc->bhtc", q, _head_rows(attention, attention.k_proj.weight)).flatten(1, 2)
    scores = torch.softmax(q @ keys, dim=-1)  # [B, heads * T, cells]
    read = torch.unflatten(scores @ values.transpose(1, 2), 1, (attention.num_heads, -1))
    read = torch.einsum("bhtc,hdc->bthd", read, _head_rows(attention, attention.v_proj.weight))
    result: Tensor = attention.out_proj(read.flatten(2) + attention.v_proj.bias)
    return result


def attend_from_image(attention: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """sam2's `Attention` from an image `queries` [B or 1, C, cells] to tokens `keys`, `values` [B, T, C]; the result is
    [B, C, cells]."""
    k, v = _heads(attention, attention.k_proj(keys)), _heads(attention, attention.v_proj(values))
    k = k * k.shape[-1] ** -0.5
    offset = torch.einsum("bthd,hd->bht", k, _head_rows(attention, attention.q_proj.bias)).flatten(1)
    k = torch.einsum("bthd,hdc->bhtc", k, _head_rows(attention, attention.q_proj.weight)).flatten(1, 2)
    scores = torch.unflatten(k @ queries + offset[..., None], 1, (attention.num_heads, -1))
    scores = torch.softmax(scores, dim=2).flatten(1, 2)  # [B, heads * T, cells]
    v = torch.einsum("bthd,hdc->bcht", v, _head_rows(attention, attention.out_proj.weight.T)).flatten(2)
    bias: Tensor = attention.out_proj.bias
    return v @ scores + bias[:, None]


def _heads(attention: Any, x: Tensor) -> Tensor:
    """[B, T, heads * d] -> [B, T, heads, d]."""
    return torch.unflatten(x, -1, (attention.num_heads, -1))


def _head_rows(attention: Any, weight: Tensor) -> Tensor:
    """[heads * d, ...] -> [heads, d, ...]."""
    return torch.unflatten(weight, 0, (attention.num_heads, -1))
