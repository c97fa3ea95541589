"""The bundled model's trunk: maps at three strides, and attention that stays within its windows."""

from __future__ import annotations

import pytest
import torch

from annotator.sam.tiny_vit import ChannelNorm, TinyViT, WindowAttention


@pytest.mark.parametrize("side", [64, 224, 304], ids=["less than a window", "whole windows", "a rest"])
def test_maps_have_a_quarter_an_eighth_and_a_sixteenth_of_the_side(side: int) -> None:
    with torch.inference_mode():
        maps = TinyViT()(torch.zeros(2, 3, side, side))
    assert [tuple(each.shape) for each in maps] == [
        (2, c, side >> k, side >> k) for k, c in ((2, 64), (3, 128), (4, 256))
    ]


def test_a_cell_is_seen_by_its_own_window_only() -> None:
    attention = WindowAttention(64, window=3)
    x = torch.randn(1, 7, 8, 64)
    changed = x.clone()
    changed[0, 4, 1] += 1
    with torch.inference_mode():
        moved = (attention(changed) - attention(x)).abs().amax(-1)[0] > 0
    assert moved[3:6, :3].all() and moved.sum() == 9


def test_the_bias_depends_on_the_distances_along_both_axes() -> None:
    """A head that attends to what is exactly one row above or below reads just that."""
    attention = WindowAttention(32, window=3)
    with torch.inference_mode():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.norm.weight.fill_(1)
        attention.qkv.weight[64:] = torch.eye(32)  # values are the cells, queries and keys nothing
        attention.proj.weight.copy_(torch.eye(32))
        attention.bias.fill_(-100)
        attention.bias[0, 1 * 3 + 0] = 100
        x = torch.randn(1, 3, 3, 32)
        cells, read = attention.norm(x), attention(x)
    assert torch.allclose(read[0, 0], cells[0, 1], atol=1e-5)
    assert torch.allclose(read[0, 1], (cells[0, 0] + cells[0, 2]) / 2, atol=1e-5)


def test_channels_are_normalised_at_every_place() -> None:
    out = ChannelNorm(16)(torch.randn(2, 16, 3, 5) * 7 + 3)
    assert out.shape == (2, 16, 3, 5)
    assert out.mean(1).abs().max() < 1e-5 and (out.std(1, correction=0) - 1).abs().max() < 1e-3
