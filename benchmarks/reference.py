"""The reference system: the code of the published study of fast SAM 2 inference, inside torchao's wheels.

It runs where it can: on a GPU (it pins memory), beside torchvision, with models whose input is 1024 pixels. It is what
the study calls furious: float16 weights, TF32, preprocessing on the device, all automatic prompts in one batch. Its
fastest rows also compile with max-autotune, for 404 s; `compiled` compiles the image encoder in a minute or so.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from annotator.sam import zoo
from annotator.sam.automask import AutomaskSettings
from annotator.types import FloatArray
from benchmarks.official import tf32
from benchmarks.tasks import Rle

SIDE = 1024
_PROMPTS_AT_ONCE = 1024


def why_not(model: str, device: torch.device) -> str | None:
    """Why the reference system cannot run here, in one sentence; None if it can."""
    if device.type != "cuda":
        return "it runs on a CUDA GPU only"
    for package in ("torchvision", "torchao"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    if importlib.util.find_spec("torchao._models.sam2") is None:
        return "this torchao has no _models.sam2 (0.7 to 0.18 have it)"
    if zoo.spec_of(model).bundled:
        return f"it takes models of {SIDE} x {SIDE} pixels only"
    return None


class Reference:
    """Its image predictor and its mask generator around its own network, with our weights."""

    def __init__(self, model: str, path: Path | None, device: torch.device, compiled: bool = False) -> None:
        import sam2
        from hydra.utils import instantiate
        from omegaconf import OmegaConf
        from torchao._models.sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
        from torchao._models.sam2.sam2_image_predictor import SAM2ImagePredictor

        spec = zoo.spec_of(model)
        config = OmegaConf.to_container(OmegaConf.load(Path(sam2.__file__).parent / spec.config))
        its = json.loads(json.dumps(config).replace('"sam2.', '"torchao._models.sam2.'))
        self.network = instantiate(its["model"], _recursive_=True)
        self.network.load_state_dict(zoo.build(spec, path).state_dict())
        dtype = torch.float16
        self.network = self.network.to(device).eval()
        self.network.image_encoder.to(dtype)
        self.network.sam_mask_decoder.to(dtype)
        self.network.sam_mask_decoder._src_dtype = dtype
        self.precision = "float16, encoder compiled" if compiled else "float16"
        self._dtype, self._device = dtype, device
        if compiled:
            self.network.image_encoder = torch.compile(self.network.image_encoder, fullgraph=True, dynamic=False)
        self._generator: Callable[..., Any] = SAM2AutomaticMaskGenerator
        self._predictor = self._tuned(SAM2ImagePredictor(self.network))

    def _tuned(self, predictor: Any) -> Any:
        predictor._image_dtype, predictor._transforms_device = self._dtype, self._device
        return predictor

    @tf32()
    @torch.no_grad()
    def set_image(self, image: npt.NDArray[np.uint8]) -> None:
        """Encode upright RGB [H, W, 3]."""
        self._predictor.set_image(image)

    @tf32()
    @torch.no_grad()
    def best_masks(self, xy: FloatArray) -> list[Rle]:
        """The best-scored of three masks per click, as uncompressed RLE."""
        from torchao._models.sam2.utils.amg import mask_to_rle_pytorch_2

        labels = np.ones((len(xy), 1), np.int32)
        masks, scores, _ = self._predictor.predict(xy[:, None], labels, return_type="torch")
        masks, scores = masks.view(len(xy), 3, *masks.shape[-2:]), scores.view(len(xy), 3)
        found: list[Rle] = mask_to_rle_pytorch_2(masks[torch.arange(len(xy)), scores.argmax(dim=1)])
        return found

    @tf32()
    @torch.no_grad()
    def automask(self, image: npt.NDArray[np.uint8], settings: AutomaskSettings) -> list[Rle]:
        """`generate` with RLE output."""
        generator = self._generator(
            self.network,
            points_per_side=settings.points_per_side,
            points_per_batch=_PROMPTS_AT_ONCE,
            pred_iou_thresh=settings.iou_threshold,
            stability_score_thresh=settings.stability_threshold,
            stability_score_offset=settings.stability_offset,
            box_nms_thresh=settings.nms_threshold,
            output_mode="uncompressed_rle",
        )
        self._tuned(generator.predictor)
        return [each["segmentation"] for each in generator.generate(image)]
