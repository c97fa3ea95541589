"""A new trunk under a decoder that is already trained.

python -m training.graft OLD.yaml OLD.pt --config NEW.yaml --out NEW.pt       NEW's trunk with its ImageNet weights

A trunk of the same version keeps the old one's weights, and only what is new beside it starts anew. For another trunk
the prompt encoder and the mask decoder are taken over as they are, and the neck is fitted by least squares so that, on
training photos, it makes of the new trunk's maps what the old network made of its own; the decoder understands it from
the first step of training on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from sam2.build_sam import _load_checkpoint
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from annotator.sam.preprocess import preprocess
from training import model as net
from training import pretrained
from training.export import export
from training.photos import PhotoFile, read_train

RIDGE = 1e-3  # share of the mean variance of the inputs that is added to each


def rows(maps: Tensor) -> Tensor:
    """B x C x h x w to (B h w) x C."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


class LeastSquares:
    """A linear map with a constant, fitted to pairs that come in pieces."""

    def __init__(self) -> None:
        self.xx: Tensor | float = 0.0
        self.xy: Tensor | float = 0.0

    def add(self, x: Tensor, y: Tensor) -> None:
        """Inputs N x I and what they shall become, N x O."""
        x = F.pad(x, (0, 1), value=1.0).double()
        self.xx, self.xy = self.xx + x.T @ x, self.xy + x.T @ y.double()

    def solve(self) -> tuple[Tensor, Tensor]:
        """Weight O x I and bias O."""
        assert isinstance(self.xx, Tensor) and isinstance(self.xy, Tensor)
        ridge = RIDGE * self.xx.diagonal()[:-1].mean() * torch.eye(len(self.xx)).double()
        ridge[-1, -1] = 0
        solution = torch.linalg.solve(self.xx + ridge, self.xy).T.float()
        return solution[:, :-1], solution[:, -1]


@torch.no_grad()
def graft(old: SAM2Base, new: SAM2Base, photos: list[PhotoFile]) -> None:
    """Give `new`, whose trunk has its weights, the decoder of `old` and a neck that goes with it."""
    taken = {k: v for k, v in old.state_dict().items() if k.startswith("sam_")}
    missing = new.load_state_dict(taken, strict=False)
    assert not missing.unexpected_keys
    embedding, fine0, fine1 = LeastSquares(), LeastSquares(), LeastSquares()
    for photo in photos:
        pixels = preprocess([photo.decode().image], old.image_size, old.device, torch.float32)
        wanted, maps = net.encode(old, pixels), new.image_encoder.trunk(pixels)
        coarse = F.interpolate(maps[3], scale_factor=2.0, mode=new.image_encoder.neck.fpn_interp_model)
        embedding.add(rows(torch.cat([maps[2], coarse], 1)), rows(wanted.embedding))
        fine0.add(rows(maps[0]), rows(wanted.high_res[0]))
        fine1.add(rows(maps[1]), rows(wanted.high_res[1]))
    lateral0, lateral1, lateral2, lateral3 = (conv.conv for conv in reversed(new.image_encoder.neck.convs))
    weight, bias = embedding.solve()
    split = lateral2.in_channels
    lateral2.weight.copy_(weight[:, :split, None, None])
    lateral3.weight.copy_(weight[:, split:, None, None])
    lateral2.bias.copy_(bias)
    lateral3.bias.zero_()
    new.no_mem_embed.zero_()
    decoder = new.sam_mask_decoder
    for lateral, after, fit in ((lateral0, decoder.conv_s0, fine0), (lateral1, decoder.conv_s1, fine1)):
        weight, bias = fit.solve()
        back = torch.linalg.pinv(after.weight.flatten(1))  # the decoder's own 1x1 convolution comes next
        lateral.weight.copy_((back @ weight)[:, :, None, None])
        lateral.bias.copy_(back @ (bias - after.bias))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old_config", type=Path)
    parser.add_argument("old", type=Path)
    parser.add_argument("--config", type=Path, default=Path("assets/nano.yaml"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--every", type=int, default=6, help="only every so many photos")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    old, new = net.build(args.old_config).eval(), net.build(args.config).eval()
    _load_checkpoint(old, args.old)
    if new.image_encoder.trunk.version == old.image_encoder.trunk.version:
        new.load_state_dict(old.state_dict(), strict=False)  # a mixer adds nothing at first
    else:
        pretrained.load(new.image_encoder.trunk)
        graft(old, new, read_train(args.data)[:: args.every])
    export(new, args.out)


if __name__ == "__main__":
    main()
