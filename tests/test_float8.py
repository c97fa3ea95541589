"""The optional float8 encoder: what it costs in accuracy, and where it is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from annotator.errors import ModelUnavailable
from annotator.sam import float8
from annotator.sam.predictor import FLOAT8, Predictor
from annotator.serving.model_host import pick_dtype


def test_a_cpu_is_told_what_float8_needs() -> None:
    with pytest.raises(ModelUnavailable, match="float8 needs an NVIDIA GPU"):
        Predictor.eager("tiny", None, "cpu", FLOAT8)


def test_a_model_without_wide_layers_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="no layers wide enough"):
        float8.quantize(torch.nn.Sequential(torch.nn.Linear(128, 512), torch.nn.Conv2d(512, 512, 1)))


def test_the_embedding_stays_close(monkeypatch: pytest.MonkeyPatch, cat: np.ndarray) -> None:
    # A CPU multiplies float8 matrices too, slowly: torchao's own check is all that is in the way.
    monkeypatch.setattr("torchao.quantization.quant_api._check_hardware_support", lambda _: None)
    predictor = Predictor.eager("tiny", None)
    (expected,) = predictor.encode([cat])
    encoder = predictor.graphs.encoder
    assert isinstance(encoder, torch.nn.Module)
    assert float8.quantize(encoder) == 36
    (found,) = predictor.encode([cat])
    for name in ("image_embed", "feat_s0", "feat_s1"):
        a, b = getattr(expected, name), getattr(found, name)
        # e4m3 has 3 bits of mantissa: an error of 2 to 3 % a product. Random weights let it grow layer by layer.
        assert float((a - b).norm() / a.norm()) < 0.12
    assert not torch.equal(found.image_embed, expected.image_embed)


def test_dtypes_are_picked_by_name() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert pick_dtype("auto", cpu) is torch.float32
    assert pick_dtype("auto", cuda) is torch.float16
    assert pick_dtype("float8", cuda) is FLOAT8
    with pytest.raises(ModelUnavailable, match="not 'int3'"):
        pick_dtype("int3", cpu)
