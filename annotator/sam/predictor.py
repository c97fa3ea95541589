"""The predictor: `encode` images once, `decode` any number of prompts on their embeddings.

The embedding is an argument, never hidden state, so one predictor serves any number of users and images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from annotator.errors import InvalidPrompt
from annotator.sam import float8, zoo
from annotator.sam.cuda_graphs import DecoderGraphs, cuda_capture
from annotator.sam.graphs import STRIDE, ImageEncoder, MaskDecoder
from annotator.sam.preprocess import preprocess
from annotator.sam.transfer import to_device
from annotator.types import MAX_POINTS, FloatArray, Prompt

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

MAX_PROMPTS = 1024
MAX_IMAGES = 8
UNTRAINED = "untrained"
"""What stands for a checkpoint's key where weights are random."""
FLOAT8 = torch.float8_e4m3fn
MAX_LOGIT = 32.0
"""Previous logits are clamped to +-32 before reuse, as the official predictor does."""


@dataclass(frozen=True, slots=True)
class ImageEmbedding:
    """What the decoder needs of one image: image_embed [256, s, s], feat_s0 [512, s, s], feat_s1 [256, s, s].

    `height` and `width` are those of the original upright image, to which prompts and masks refer.
    """

    image_embed: Tensor
    feat_s0: Tensor
    feat_s1: Tensor
    height: int
    width: int

    @property
    def nbytes(self) -> int:
        """Bytes the three tensors take."""
        return sum(each.nbytes for each in (self.image_embed, self.feat_s0, self.feat_s1))


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """B prompts of N points each, in pixels of their original images.

    coords float32 [B, N, 2]; labels int64 [B, N] in -1..3 (a box is two points labelled 2 and 3, first); image_index
    int64 [B]; mask_input float32 [B, 1, 4s, 4s] previous logits, or None; has_mask bool [B] says which rows are real.
    A mask_input that is a tensor comes from an earlier answer, and may be on the device.
    """

    coords: FloatArray
    labels: npt.NDArray[np.int64]
    image_index: npt.NDArray[np.int64]
    mask_input: FloatArray | Tensor | None = None
    has_mask: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.coords)

    @classmethod
    def single(cls, prompt: Prompt, mask_input: FloatArray | Tensor | None = None) -> PromptBatch:
        """One prompt on the first image; `mask_input` [4s, 4s] logits of the answer to refine."""
        if mask_input is None:
            return cls.stack([prompt])
        return replace(cls.stack([prompt]), mask_input=mask_input[None, None], has_mask=np.ones(1, np.bool_))

    @classmethod
    def stack(
        cls,
        prompts: Sequence[Prompt],
        images: Sequence[int] | None = None,
        mask_inputs: Sequence[FloatArray | Tensor | None] = (),
    ) -> PromptBatch:
        """Prompts of equally many points; a box counts as two.

        `images` says which image each one is on, by default the first. `mask_inputs` are logits [4s, 4s] to refine.
        """
        table = np.array([_tokens(prompt) for prompt in prompts], dtype=np.float32)
        batch = cls(
            coords=np.ascontiguousarray(table[..., :2]),
            labels=table[..., 2].astype(np.int64),
            image_index=np.zeros(len(prompts), np.int64) if images is None else np.array(images, np.int64),
        )
        given = [torch.as_tensor(each) for each in mask_inputs if each is not None]
        if not given:
            return batch
        tensors = iter(given)
        has_mask = np.array([each is not None for each in mask_inputs])
        masks = torch.stack([next(tensors) if has else torch.zeros_like(given[0]) for has in has_mask])
        return replace(batch, mask_input=masks[:, None], has_mask=has_mask)

    @classmethod
    def points(cls, xy: FloatArray) -> PromptBatch:
        """One positive click per row of `xy` [B, 2], all on the first image."""
        count = len(xy)
        return cls(
            coords=np.ascontiguousarray(xy, dtype=np.float32).reshape(count, 1, 2),
            labels=np.ones((count, 1), np.int64),
            image_index=np.zeros(count, np.int64),
        )


def _tokens(prompt: Prompt) -> list[tuple[float, float, int]]:
    """x, y and label of each token: a box is two points labelled 2 and 3, before the others."""
    points = [(x, y, label) for x, y, label in prompt.points]
    if prompt.box is None:
        return points
    x0, y0, x1, y1 = prompt.box
    return [(x0, y0, 2), (x1, y1, 3), *points]


@dataclass(frozen=True, slots=True)
class MaskLogits:
    """The decoder's answer to B prompts, on the device, float32.

    logits [B, 4, 4s, 4s]: slot 0 the single-mask answer, slots 1..3 the multi-mask ones; a pixel belongs to the mask
    where its logit is > 0. scores [B, 4]: predicted IoU. object_scores [B, 1].
    """

    logits: Tensor
    scores: Tensor
    object_scores: Tensor


def _tensor_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float16 if dtype == FLOAT8 else dtype


class Graphs(NamedTuple):
    """The network as three functions of tensors: `graphs.ImageEncoder`, and `graphs.MaskDecoder` in both variants."""

    encoder: Callable[..., tuple[Tensor, ...]]
    decoder: Callable[..., tuple[Tensor, ...]]
    shared: Callable[..., tuple[Tensor, ...]]


class Predictor:
    """A SAM 2 checkpoint on a device. No answer depends on earlier calls.

    One thread at a time may call it; on a CPU any number of them.
    """

    def __init__(
        self,
        model: str,
        key: str,
        graphs: Graphs,
        image_size: int,
        device: torch.device,
        dtype: torch.dtype,
        backend: Literal["eager", "packaged"],
    ) -> None:
        """`model` names an entry of the zoo, `key` identifies its checkpoint, `image_size` is the input's side.

        `dtype` is float32, float16, or float8_e4m3fn: float16 but for the encoder's wide layers (see `float8`).
        """
        self.model, self.key, self.graphs, self.image_size = model, key, graphs, image_size
        self.device, self.dtype, self.backend = device, dtype, backend
        self.cuda_graphs = DecoderGraphs(cuda_capture(device)) if device.type == "cuda" else None

    @classmethod
    def eager(
        cls,
        model: str,
        path: Path | None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Predictor:
        """From the checkpoint at `path` (None: untrained weights, for benchmarks).

        Raises ModelUnavailable for float8 where the device or the model is not fit for it.
        """
        spec = zoo.spec_of(model)
        key = zoo.checkpoint_key(spec, path) if path is not None else UNTRAINED
        return cls.of(zoo.build(spec, path), model, key, device, dtype)

    @classmethod
    def of(
        cls,
        network: SAM2Base,
        model: str,
        key: str,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Predictor:
        """From a network in eval mode. It keeps its own weights; those of the predictor may be the same ones."""
        device = torch.device(device)
        if dtype == FLOAT8:
            float8.check_device(device)
        modules = (ImageEncoder(network), MaskDecoder(network, shared=False), MaskDecoder(network, shared=True))
        graphs = Graphs(*(each.to(device, _tensor_dtype(dtype)).eval().requires_grad_(False) for each in modules))
        if dtype == FLOAT8:
            float8.quantize(modules[0])
        return cls(model, key, graphs, network.image_size, device, dtype, "eager")

    @property
    def spec(self) -> zoo.ModelSpec:
        """What the zoo says of its model."""
        return zoo.spec_of(self.model)

    @property
    def tensor_dtype(self) -> torch.dtype:
        """Of the images that are encoded, and of embeddings."""
        return _tensor_dtype(self.dtype)

    @property
    def mask_side(self) -> int:
        """Rows and columns of the low-resolution mask logits."""
        return 4 * self.image_size // STRIDE

    @torch.inference_mode()
    def encode(self, images: Sequence[npt.NDArray[np.uint8]]) -> list[ImageEmbedding]:
        """Upright RGB images uint8 [H, W, 3] -> one embedding each, on the predictor's device."""
        x = preprocess(images, self.image_size, self.device, self.tensor_dtype)
        image_embed, feat_s0, feat_s1 = (each.contiguous() for each in self.graphs.encoder(x))
        own = torch.clone if len(images) > 1 else torch.Tensor.contiguous  # so that each can be freed on its own
        return [
            ImageEmbedding(own(image_embed[i]), own(feat_s0[i]), own(feat_s1[i]), *image.shape[:2])
            for i, image in enumerate(images)
        ]

    @torch.inference_mode()
    def decode(self, embeddings: Sequence[ImageEmbedding], prompts: PromptBatch) -> MaskLogits:
        """Answer every prompt. Raises InvalidPrompt for shapes or values the decoder would silently misread."""
        self._check(embeddings, prompts)
        sizes = np.array([(e.width, e.height) for e in embeddings], np.float32)[prompts.image_index]
        scale = self.image_size / sizes[:, None, :]
        coords, labels = to_device(prompts.coords * scale, self.device), to_device(prompts.labels, self.device)
        features = self._features(embeddings)
        if len(embeddings) == 1 and prompts.mask_input is None:
            decoder, inputs = self.graphs.shared, (*features, coords, labels)
        else:
            masks, has_mask = self._mask_inputs(prompts)
            index = to_device(prompts.image_index, self.device)
            decoder, inputs = self.graphs.decoder, (*features, coords, labels, index, masks, has_mask)
        run = self.cuda_graphs.run if self.cuda_graphs is not None else _call
        return MaskLogits(*run(decoder, *inputs))

    @property
    def has_pending_captures(self) -> bool:
        """`capture_pending` has something to do."""
        return self.cuda_graphs is not None and self.cuda_graphs.has_pending

    @torch.inference_mode()
    def capture_pending(self) -> bool:
        """On a GPU, make one kind of prompt that was answered so far faster; True if there are more such kinds.

        Takes several times as long as an answer, so it belongs between clicks.
        """
        return self.cuda_graphs is not None and self.cuda_graphs.capture_pending()

    def _features(self, embeddings: Sequence[ImageEmbedding]) -> list[Tensor]:
        columns = zip(*((e.image_embed, e.feat_s0, e.feat_s1) for e in embeddings), strict=True)
        if len(embeddings) == 1:
            return [column[0][None] for column in columns]  # a view: no copy on the click path
        return [torch.stack(column) for column in columns]

    def _mask_inputs(self, prompts: PromptBatch) -> tuple[Tensor, Tensor]:
        side, count = self.mask_side, len(prompts)
        if prompts.mask_input is None:
            none = torch.zeros(count, 1, side, side, device=self.device)
            return none, torch.zeros(count, dtype=torch.bool, device=self.device)
        given = prompts.mask_input
        masks = given.to(self.device) if isinstance(given, Tensor) else to_device(given, self.device)
        has_mask = np.ones(count, np.bool_) if prompts.has_mask is None else prompts.has_mask
        return masks.clamp(-MAX_LOGIT, MAX_LOGIT), to_device(has_mask, self.device)

    def _check(self, embeddings: Sequence[ImageEmbedding], prompts: PromptBatch) -> None:
        count, points = prompts.coords.shape[:2]
        if not 1 <= len(embeddings) <= MAX_IMAGES:
            raise InvalidPrompt(f"One call takes 1 to {MAX_IMAGES} images, not {len(embeddings)}.", "embeddings")
        if not 1 <= points <= MAX_POINTS:
            raise InvalidPrompt(f"A prompt needs 1 to {MAX_POINTS} points (a box is two), not {points}.", "points")
        if not 1 <= count <= MAX_PROMPTS:
            raise InvalidPrompt(f"One call takes 1 to {MAX_PROMPTS} prompts, not {count}.", "points")
        if not np.isfinite(prompts.coords).all():
            raise InvalidPrompt("A coordinate is not a number.", "points")
        if prompts.labels.shape != (count, points) or prompts.labels.min() < -1 or prompts.labels.max() > 3:
            raise InvalidPrompt("Every point needs a label from -1 to 3.", "points")
        index = prompts.image_index
        if index.shape != (count,) or index.min() < 0 or index.max() >= len(embeddings):
            raise InvalidPrompt("A prompt refers to an image that was not given.", "image_index")
        wanted = (count, 1, self.mask_side, self.mask_side)
        if prompts.mask_input is not None and prompts.mask_input.shape != wanted:
            raise InvalidPrompt(f"Mask inputs should be {wanted}, not {tuple(prompts.mask_input.shape)}.", "mask_input")
        # Looking at the values of a tensor would wait for the device.
        if isinstance(prompts.mask_input, np.ndarray) and not np.isfinite(prompts.mask_input).all():
            raise InvalidPrompt("A mask input holds values that are not numbers.", "mask_input")


def _call(decoder: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
    return decoder(*inputs)
