"""The bundled model's trunk: maps at four strides, padded as its weights were trained."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from annotator.sam.mixer import Mixer
from annotator.sam.trunk import Conv, EfficientNetLite


@pytest.mark.parametrize(
    ("version", "channels"), [("lite0", (24, 40, 112, 320)), ("lite2", (24, 48, 120, 352))], ids=["lite0", "lite2"]
)
@pytest.mark.parametrize("mixed", [False, True], ids=["plain", "mixed"])
def test_maps_have_a_half_a_quarter_and_an_eighth_of_the_finest_side(
    version: str, channels: tuple[int, ...], mixed: bool
) -> None:
    maps = EfficientNetLite(version, mixed)(torch.zeros(2, 3, 64, 64))
    assert [tuple(each.shape) for each in maps] == [(2, c, 16 >> k, 16 >> k) for k, c in enumerate(channels)]


def test_a_new_mixer_changes_nothing_and_a_trained_one_carries_every_scale_to_every_other() -> None:
    mixer = Mixer((24, 40, 112, 320))
    maps = [torch.randn(1, c, 32 >> k, 32 >> k) for k, c in enumerate((24, 40, 112, 320))]
    assert all(torch.equal(a, b) for a, b in zip(mixer(maps), maps, strict=True))
    for leave in mixer.outputs:
        nn.init.normal_(leave.weight)
    for source in range(4):
        inputs = [each.clone().requires_grad_(k == source) for k, each in enumerate(maps)]
        outputs = mixer(inputs)
        gradients = [
            torch.autograd.grad(output.square().sum(), inputs[source], retain_graph=True, allow_unused=True)[0]
            for output in outputs
        ]
        reached = {k for k, each in enumerate(gradients) if each is not None and each.any()}
        # On the way up the path ends at stride 16: the coarsest map hears of finer ones through the trunk alone.
        assert reached == ({0, 1, 2, 3} if source == 3 else {0, 1, 2})


@pytest.mark.parametrize(("kernel", "before", "after"), [(3, 0, 1), (5, 1, 2)])
def test_with_stride_two_the_last_row_and_column_get_more_padding(kernel: int, before: int, after: int) -> None:
    """TensorFlow's SAME padding of an even side: the odd pixel goes behind."""
    conv = Conv(1, 1, kernel, stride=2)
    x = torch.randn(1, 1, 8, 8)
    wanted = F.conv2d(F.pad(x, (before, after, before, after)), conv.weight, conv.bias, stride=2)
    assert wanted.shape[-1] == 4 and torch.equal(conv(x), wanted)
