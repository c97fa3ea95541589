"""The least time a GPU needs for the network's arithmetic and memory traffic: `python -m benchmarks.floor`.

Counted on tensors without data: the operations of matrix products, convolutions and attention in float16, and the bytes
of weights, inputs and outputs, each moved once. The floor of a call is the longer of the two times. What is not the
network's (decoding the JPEG, copies to and from the device, upsampling, run lengths) is not in it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from annotator.sam import zoo
from annotator.sam.graphs import STRIDE, ImageEncoder, MaskDecoder

RATES = {"H100": (989.4e12, 3.35e12), "H200": (989.4e12, 4.8e12)}
"""Dense float16 operations and bytes a second of the SXM cards, from NVIDIA's datasheets (H100: 2023, H200: 2024). An
H100 was seen to reach 798e12 on a product of two matrices of 8192 x 8192, and 3.0e12 on a copy."""

MPS_PROMPTS = 16


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, a multiplication and an addition being two, and bytes."""

    operations: int
    bytes: int

    def milliseconds(self, operations_per_second: float, bytes_per_second: float) -> float:
        """The floor on a card of these rates."""
        return 1e3 * max(self.operations / operations_per_second, self.bytes / bytes_per_second)


def costs(model: str, automask_points: int = 1024) -> dict[str, Cost]:
    """Of encoding one image, and of decoding 1, 16 and `automask_points` single clicks on it."""
    network = zoo.build(zoo.spec_of(model), None)
    size = network.image_size
    cells = size // STRIDE
    encoder, decoder = (
        each.to("meta", torch.float16).eval() for each in (ImageEncoder(network), MaskDecoder(network, shared=True))
    )
    features = [
        torch.empty(1, channels, cells, cells, dtype=torch.float16, device="meta") for channels in (256, 512, 256)
    ]

    def decode(prompts: int) -> Cost:
        coords = torch.empty(prompts, 1, 2, device="meta")
        return _cost(decoder, *features, coords, torch.empty(prompts, 1, dtype=torch.int64, device="meta"))

    return {
        "encode": _cost(encoder, torch.empty(1, 3, size, size, dtype=torch.float16, device="meta")),
        "click": decode(1),
        "16 clicks": decode(MPS_PROMPTS),
        "automatic": decode(automask_points),
    }


def _cost(module: nn.Module, *inputs: Tensor) -> Cost:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs: tuple[Tensor, ...] = module(*inputs)
    moved = chain(module.parameters(), module.buffers(), inputs, outputs)
    return Cost(counter.get_total_flops(), sum(each.nbytes for each in moved))


def floors(model: str, gpu: str | None, automask_points: int = 1024) -> dict[str, float]:
    """Milliseconds for each task of the benchmark on a card; nothing for cards whose rates are not known."""
    rates = next((RATES[name] for name in RATES if gpu is not None and name in gpu), None)
    if rates is None:
        return {}
    found = {name: cost.milliseconds(*rates) for name, cost in costs(model, automask_points).items()}
    return {
        "CLICK": round(found["click"], 4),
        "SPS": round(found["encode"] + found["click"], 4),
        "MPS": round(found["encode"] + found["16 clicks"], 4),
        "AMG": round(found["encode"] + found["automatic"], 4),
    }


def main() -> None:
    """Print operations, bytes and floors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="large")
    options = parser.parse_args()
    print(f"{options.model:12}{'GFLOP':>10}{'MB':>10}" + "".join(f"{name + ', ms':>12}" for name in RATES))
    for name, cost in costs(options.model).items():
        times = "".join(f"{cost.milliseconds(*rates):12.3f}" for rates in RATES.values())
        print(f"{name:12}{cost.operations / 1e9:10.1f}{cost.bytes / 1e6:10.1f}{times}")


if __name__ == "__main__":
    main()
