"""The baseline: official sam2 1.1.0 modules, called as its image predictor and automatic mask generator call them.

`SAM2ImagePredictor` itself imports torchvision, which not every machine has; the five small things it takes from there
(ToTensor, Resize, Normalize, batched_nms, box_area) are written out with torch. Everything else is sam2's own code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sam2.utils.amg import batched_mask_to_box, calculate_stability_score, mask_to_rle_pytorch
from torch import Tensor

from annotator.masks.geometry import nms
from annotator.sam import zoo
from annotator.sam.automask import AutomaskSettings, point_grid
from annotator.sam.candidates import OFFICIAL_CHUNK
from annotator.types import FloatArray
from benchmarks.tasks import Rle


@contextmanager
def tf32() -> Iterator[None]:
    """Float32 matrix products of a GPU in TF32, in this block only."""
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, True
    try:
        yield
    finally:
        matmul.allow_tf32 = before


def features(network: Any, x: Tensor) -> list[Tensor]:
    """Normalised images [B, 3, S, S] -> feat_s0, feat_s1 and image_embed, as the image predictor keeps them."""
    backbone = network.forward_image(x)
    _, levels, _, _ = network._prepare_backbone_features(backbone)
    if network.directly_add_no_mem_embed:
        levels[-1] = levels[-1] + network.no_mem_embed
    shapes = [each.shape[-2:] for each in backbone["backbone_fpn"]]
    return [level.permute(1, 2, 0).view(len(x), -1, *s) for level, s in zip(levels, shapes, strict=True)]


class Official:
    """An eager SAM 2 that keeps the last image's features, as `SAM2ImagePredictor` does.

    In float32, or with `autocast` under bfloat16 autocast and TF32, as Meta's notebooks and demo run it on a GPU.
    """

    def __init__(self, model: str, path: Any, device: torch.device, autocast: bool = False) -> None:
        self.network = zoo.build(zoo.spec_of(model), path).to(device)
        self.device, self._autocast = device, autocast
        self.precision = "bfloat16 autocast" if autocast else "float32"
        self._features: list[Tensor] = []
        self._size = (0, 0)

    @contextmanager
    def _numerics(self) -> Iterator[None]:
        if not self._autocast:
            yield
            return
        with tf32(), torch.autocast(self.device.type, torch.bfloat16):
            yield

    @torch.no_grad()
    def set_image(self, image: npt.NDArray[np.uint8]) -> None:
        """Encode upright RGB [H, W, 3]."""
        side = self.network.image_size
        x = torch.from_numpy(image.copy()).permute(2, 0, 1).to(self.device).float() / 255
        x = F.interpolate(x[None], (side, side), mode="bilinear", align_corners=False, antialias=True)
        mean = torch.tensor((0.485, 0.456, 0.406), device=self.device).view(1, 3, 1, 1)
        std = torch.tensor((0.229, 0.224, 0.225), device=self.device).view(1, 3, 1, 1)
        with self._numerics():
            self._features = features(self.network, (x - mean) / std)
        self._size = image.shape[:2]

    @torch.no_grad()
    def predict_logits(self, xy: FloatArray) -> tuple[Tensor, Tensor]:
        """One positive click per row of `xy` [B, 2] -> full-resolution logits [B, 3, H, W] and scores [B, 3]."""
        height, width = self._size
        scale = torch.tensor([self.network.image_size / width, self.network.image_size / height], device=self.device)
        coords = torch.from_numpy(xy).to(self.device)[:, None] * scale
        labels = torch.ones(coords.shape[:2], dtype=torch.int, device=self.device)
        s0, s1, embed = self._features
        with self._numerics():
            sparse, dense = self.network.sam_prompt_encoder(points=(coords, labels), boxes=None, masks=None)
            low, scores, _, _ = self.network.sam_mask_decoder(
                image_embeddings=embed,
                image_pe=self.network.sam_prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
                repeat_image=len(xy) > 1,
                high_res_features=[s0, s1],
            )
        return F.interpolate(low.float(), self._size, mode="bilinear", align_corners=False), scores.float()

    def best_masks(self, xy: FloatArray) -> list[Rle]:
        """The best-scored of three masks per click, as uncompressed RLE."""
        logits, scores = self.predict_logits(xy)
        best = scores.argmax(dim=1)
        rles: list[Rle] = mask_to_rle_pytorch((logits > 0)[torch.arange(len(xy)), best])
        return rles

    def automask(self, image: npt.NDArray[np.uint8], settings: AutomaskSettings) -> list[Rle]:
        """`SAM2AutomaticMaskGenerator.generate` with RLE output and no crop layers."""
        self.set_image(image)
        rles: list[Rle] = []
        boxes: list[Tensor] = []
        scores: list[Tensor] = []
        grid = point_grid(settings.points_per_side, *self._size)
        for start in range(0, len(grid), OFFICIAL_CHUNK):
            logits, iou = self.predict_logits(grid[start : start + OFFICIAL_CHUNK])
            masks, iou = logits.flatten(0, 1), iou.flatten()
            keep = iou > settings.iou_threshold
            masks, iou = masks[keep], iou[keep]
            keep = calculate_stability_score(masks, 0.0, settings.stability_offset) >= settings.stability_threshold
            binary, iou = masks[keep] > 0, iou[keep]
            boxes.append(batched_mask_to_box(binary))
            rles.extend(mask_to_rle_pytorch(binary))
            scores.append(iou)
        all_boxes, all_scores = torch.cat(boxes).float().cpu().numpy(), torch.cat(scores).cpu().numpy()
        return [rles[i] for i in nms(all_boxes, all_scores, settings.nms_threshold)]
