"""One prompt to its candidate masks. A GPU is waited for once: choosing and measuring happen on it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from annotator.sam.cleaning import clean
from annotator.sam.postprocess import fetch_masks, stability
from annotator.sam.predictor import MAX_IMAGES, ImageEmbedding, Predictor, PromptBatch
from annotator.sam.stopwatch import Stopwatch
from annotator.sam.threads import in_parallel, never, one_thread
from annotator.types import Candidate, FloatArray, Prompt

T = TypeVar("T")

OFFICIAL_CHUNK = 64
"""Prompts decoded at once by the official automatic mask generator, and in one turn of ours."""

_CPU_PART = 4
"""Prompts that one thread of a CPU decodes at once. One alone takes 1.1 x as long for each, more take no less."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Answers in the order a user should see them, and the logits [K, 4s, 4s] that refine each of them, on the device.

    `decode_ms` and `postprocess_ms` are the device's milliseconds for the mask decoder and for what follows it.
    """

    masks: list[Candidate]
    logits: Tensor
    decode_ms: float
    postprocess_ms: float


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt on an encoded image; `mask_input` [4s, 4s] are the logits of an answer to refine."""

    embedding: ImageEmbedding
    prompt: Prompt
    mask_input: FloatArray | Tensor | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoder's four answers to a question, on the device: logits [4, 4s, 4s], scores [4]; and the time so far."""

    logits: Tensor
    scores: Tensor
    watch: Stopwatch


def find_candidates(
    predictor: Predictor,
    embedding: ImageEmbedding,
    prompt: Prompt,
    mask_input: FloatArray | Tensor | None = None,
    keep: int = 3,
) -> Candidates:
    """The best `keep` answers to a prompt, at most 3; `mask_input` [4s, 4s] are the logits of an answer to refine."""
    question = Question(embedding, prompt, mask_input)
    (decoded,) = decode_together(predictor, [question])
    return choose_candidates(predictor, question, decoded, keep)


def decode_together(predictor: Predictor, questions: Sequence[Question]) -> list[Decoded]:
    """Decode questions on any images at once: a GPU in few batches, a CPU each on one thread, as one alone is."""
    if predictor.device.type == "cpu":
        return in_parallel(lambda each: _decode(predictor, [each])[0], questions)
    return decode_in_batches(predictor, questions)


def decode_in_batches(predictor: Predictor, questions: Sequence[Question]) -> list[Decoded]:
    """Decode questions on any images, as many as possible at once: those of equally many points."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, question in enumerate(questions):
        groups[_tokens(question.prompt)].append(index)
    found: dict[int, Decoded] = {}
    for indices in groups.values():
        for first in range(0, len(indices), MAX_IMAGES):
            batch = indices[first : first + MAX_IMAGES]
            found.update(zip(batch, _decode(predictor, [questions[each] for each in batch]), strict=True))
    return [found[index] for index in range(len(questions))]


def _decode(predictor: Predictor, questions: Sequence[Question]) -> list[Decoded]:
    """Answer at most MAX_IMAGES questions of equally many points in one call of the decoder."""
    watches = [Stopwatch(predictor.device) for _ in questions]
    if len(questions) == 1:
        (only,) = questions
        embeddings, prompts = [only.embedding], PromptBatch.single(only.prompt, only.mask_input)
    else:
        embeddings = list({id(each.embedding): each.embedding for each in questions}.values())
        places = {id(each): place for place, each in enumerate(embeddings)}
        prompts = PromptBatch.stack(
            [each.prompt for each in questions],
            [places[id(each.embedding)] for each in questions],
            [each.mask_input for each in questions],
        )
    answer = predictor.decode(embeddings, prompts)
    for watch in watches:
        watch.lap()
    return [Decoded(*each) for each in zip(answer.logits, answer.scores, watches, strict=True)]


@one_thread()
def choose_candidates(predictor: Predictor, question: Question, decoded: Decoded, keep: int = 3) -> Candidates:
    """The best `keep` of the decoder's answers, at most 3, as full-resolution masks.

    A single click is ambiguous, it may mean a part, an object or a group: the three multi-mask answers, best score
    first. With more said, the single-mask answer leads, as official SAM 2 recommends, and the best multi-mask answers
    are the alternatives. Masks are cleaned as the model's `speck_share` says; the logits are as the decoder gave them.
    """
    prompt, embedding, watch = question.prompt, question.embedding, decoded.watch
    ambiguous = _is_ambiguous(prompt) and question.mask_input is None
    order = _recommended(decoded.scores, ambiguous)[:keep]
    logits = decoded.logits.index_select(0, order)
    numbers = torch.stack((decoded.scores.index_select(0, order).clamp(0, 1), stability(logits)))
    shown = _cleaned(logits, predictor, embedding, [prompt] * len(logits))
    masks, (scores,) = fetch_masks(shown, embedding.height, embedding.width, numbers)
    watch.lap()
    candidates = [Candidate(*each) for each in zip(masks, *scores.tolist(), strict=True)]
    return Candidates(candidates, logits, *watch.laps())


def find_best(
    predictor: Predictor,
    embedding: ImageEmbedding,
    prompts: Sequence[Prompt],
    pause: Callable[[], bool] = never,
) -> Iterator[dict[int, Candidate]]:
    """The first candidate for each of many prompts, by its place in `prompts`, some at a time.

    Prompts of equally many points are decoded together: padding would change the answers. `pause` as in `in_parallel`.
    """
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        groups[_tokens(prompt)].append(index)
    for indices in groups.values():

        def answer(part: slice, indices: list[int] = indices) -> dict[int, Candidate]:
            batch = indices[part]
            return dict(zip(batch, _best(predictor, embedding, [prompts[i] for i in batch]), strict=True))

        for answered in in_turns(predictor, len(indices), answer, pause):
            yield {place: each for part in answered for place, each in part.items()}


def in_turns(
    predictor: Predictor, count: int, answer: Callable[[slice], T], pause: Callable[[], bool]
) -> Iterator[list[T]]:
    """What `answer` gives for the parts of `count` prompts, the parts of one turn at a time; see `in_parallel`."""
    done = 0
    while done < count:
        parts = parts_of(predictor, done, count)
        answered = in_parallel(answer, parts, pause)
        done = parts[len(answered) - 1].stop
        yield answered


def parts_of(predictor: Predictor, start: int, stop: int, most: int = OFFICIAL_CHUNK) -> list[slice]:
    """The first `most` of the prompts `start` to `stop` as those that are decoded in one batch, for `in_parallel`.

    All of them on a GPU, a few for a thread of a CPU.
    """
    stop = min(stop, start + most)
    size = stop - start
    if predictor.device.type == "cpu":
        size = min(_CPU_PART, math.ceil(size / torch.get_num_threads()))
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]


def _best(predictor: Predictor, embedding: ImageEmbedding, prompts: Sequence[Prompt]) -> list[Candidate]:
    """The first candidate for each of some prompts of equally many points."""
    answer = predictor.decode([embedding], PromptBatch.stack(prompts))
    slots = [
        int(_recommended(scores, _is_ambiguous(prompt))[0])
        for prompt, scores in zip(prompts, answer.scores.cpu(), strict=True)
    ]
    rows = torch.arange(len(prompts))
    logits, scores = answer.logits[rows, slots], answer.scores[rows, slots].clamp(0, 1)
    numbers = torch.stack((scores, stability(logits)))
    shown = _cleaned(logits, predictor, embedding, prompts)
    masks, (numbers_on_host,) = fetch_masks(shown, embedding.height, embedding.width, numbers)
    return [Candidate(*each) for each in zip(masks, *numbers_on_host.tolist(), strict=True)]


def _cleaned(logits: Tensor, predictor: Predictor, embedding: ImageEmbedding, prompts: Sequence[Prompt]) -> Tensor:
    """Logits [K, s, s] of the answers to K prompts without specks, for models that need it."""
    share = predictor.spec.speck_share
    return clean(logits, share, prompts, embedding.height, embedding.width) if share else logits


def _tokens(prompt: Prompt) -> int:
    """The points of a prompt as the decoder sees it: a box counts as two."""
    return len(prompt.points) + 2 * (prompt.box is not None)


def _is_ambiguous(prompt: Prompt) -> bool:
    """A single click may mean a part, an object or a group."""
    return len(prompt.points) == 1 and prompt.box is None


def _recommended(scores: Tensor, ambiguous: bool) -> Tensor:
    """Predicted IoU [4] of the decoder's slots -> the slots to show, best first."""
    multi = scores[1:].argsort(descending=True, stable=True) + 1
    return multi if ambiguous else torch.cat((multi.new_zeros(1), multi[:2]))
