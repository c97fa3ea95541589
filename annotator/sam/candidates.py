"""One prompt to its candidate masks. A GPU is waited for once: choosing and measuring happen on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from annotator.sam.postprocess import fetch_masks, stability
from annotator.sam.predictor import ImageEmbedding, Predictor, PromptBatch
from annotator.sam.stopwatch import Stopwatch
from annotator.types import RLE, FloatArray, Prompt


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer to a prompt: full-resolution mask, predicted IoU in 0..1, stability in 0..1."""

    mask: RLE
    score: float
    stability: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """Answers in the order a user should see them, and the logits [K, 4s, 4s] that refine each of them.

    `decode_ms` and `postprocess_ms` are the device's milliseconds for the mask decoder and for what follows it.
    """

    masks: list[Candidate]
    logits: FloatArray
    decode_ms: float
    postprocess_ms: float


def find_candidates(
    predictor: Predictor,
    embedding: ImageEmbedding,
    prompt: Prompt,
    mask_input: FloatArray | None = None,
    keep: int = 3,
) -> Candidates:
    """The best `keep` answers to a prompt, at most 3; `mask_input` [4s, 4s] are the logits of an answer to refine.

    A single click is ambiguous, it may mean a part, an object or a group: the three multi-mask answers, best score
    first. With more said, the single-mask answer leads, as official SAM 2 recommends, and the best multi-mask answers
    are the alternatives.
    """
    watch = Stopwatch(predictor.device)
    answer = predictor.decode([embedding], PromptBatch.single(prompt, mask_input))
    ambiguous = len(prompt.points) == 1 and prompt.box is None and mask_input is None
    order = _recommended(answer.scores[0], ambiguous)[:keep]
    logits = answer.logits[0].index_select(0, order)
    numbers = torch.stack((answer.scores[0].index_select(0, order).clamp(0, 1), stability(logits)))
    watch.lap()
    masks, (scores, kept) = fetch_masks(logits, embedding.height, embedding.width, numbers, logits)
    watch.lap()
    candidates = [Candidate(*each) for each in zip(masks, *scores.tolist(), strict=True)]
    return Candidates(candidates, kept, *watch.laps())


def _recommended(scores: Tensor, ambiguous: bool) -> Tensor:
    """Predicted IoU [4] of the decoder's slots -> the slots to show, best first."""
    multi = scores[1:].argsort(descending=True, stable=True) + 1
    return multi if ambiguous else torch.cat((multi.new_zeros(1), multi[:2]))
