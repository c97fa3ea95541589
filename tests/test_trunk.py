"""The bundled model's trunk: maps at four strides, padded as its weights were trained."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from annotator.sam.trunk import CHANNELS, Conv, EfficientNetLite


def test_maps_have_a_half_a_quarter_and_an_eighth_of_the_finest_side() -> None:
    maps = EfficientNetLite()(torch.zeros(2, 3, 64, 64))
    assert [tuple(each.shape) for each in maps] == [(2, c, 16 >> k, 16 >> k) for k, c in enumerate(CHANNELS)]


@pytest.mark.parametrize(("kernel", "before", "after"), [(3, 0, 1), (5, 1, 2)])
def test_with_stride_two_the_last_row_and_column_get_more_padding(kernel: int, before: int, after: int) -> None:
    """TensorFlow's SAME padding of an even side: the odd pixel goes behind."""
    conv = Conv(1, 1, kernel, stride=2)
    x = torch.randn(1, 1, 8, 8)
    wanted = F.conv2d(F.pad(x, (before, after, before, after)), conv.weight, conv.bias, stride=2)
    assert wanted.shape[-1] == 4 and torch.equal(conv(x), wanted)
