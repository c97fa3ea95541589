"""CUDA graphs of the mask decoder: one prompt is some hundred small kernels, whose launches cost more than their work.

A graph is replayed with one launch, but only for the tensors and shapes it was captured with. Shapes are kept exactly,
one graph for each number of points: padding a prompt would add tokens that the others attend to and change its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...]
Decoder = Callable[..., Tensors]
Shapes = tuple[torch.Size, ...]
Capture = Callable[[Callable[[], Tensors]], tuple[Tensors, Callable[[], None]]]
"""Takes a run of kernels; gives its results, and what runs them again into the same memory."""

_MAX_POINTS = 16
"""More are rare, and each graph keeps its own results: 1 MiB."""


class _Captured(NamedTuple):
    inputs: Tensors
    outputs: Tensors
    again: Callable[[], None]


class Replay:
    """Runs a model's decoders; what it has learnt of single prompts, it replays. One thread at a time may call it."""

    def __init__(self, capture: Capture) -> None:
        self._capture: Capture | None = capture
        self._captured: dict[Shapes, _Captured] = {}
        self._wanted: dict[Shapes, tuple[Decoder, Tensors]] = {}
        self._memory: dict[tuple[int, torch.Size], Tensor] = {}

    def run(self, decoder: Decoder, *inputs: Tensor) -> Tensors:
        """`decoder`, a `graphs.MaskDecoder`, of its `inputs`; what is returned is the caller's own."""
        kind = tuple(each.shape for each in inputs)  # the decoder's variants differ in how many they take
        if captured := self._captured.get(kind):
            for own, given in zip(captured.inputs, inputs, strict=True):
                own.copy_(given)
            captured.again()
            return tuple(each.clone() for each in captured.outputs)
        features, coords = inputs[0], inputs[3]
        if self._capture is not None and len(features) == len(coords) == 1 and coords.shape[1] <= _MAX_POINTS:
            self._wanted[kind] = decoder, inputs
        return decoder(*inputs)

    @property
    def can_learn(self) -> bool:
        """There were prompts of a kind that is not replayed yet."""
        return bool(self._wanted)

    def learn(self) -> None:
        """Capture them. Each has run once by then, which has set up what libraries set up lazily."""
        while self._capture is not None and self._wanted:
            kind, (decoder, given) = self._wanted.popitem()
            try:
                self._captured[kind] = self._capture_of(self._capture, decoder, given)
            except RuntimeError as error:
                log.warning("The mask decoder runs without CUDA graphs (%s).", error)
                self._capture = None
                self._captured.clear()
        self._wanted.clear()

    def _capture_of(self, capture: Capture, decoder: Decoder, given: Sequence[Tensor]) -> _Captured:
        inputs = tuple(self._place_of(place, each) for place, each in enumerate(given))
        return _Captured(inputs, *capture(lambda: decoder(*inputs)))

    def _place_of(self, place: int, value: Tensor) -> Tensor:
        """Memory that graphs read in place of an argument. All share what has the same shape: the image, mostly."""
        if (place, value.shape) not in self._memory:
            self._memory[place, value.shape] = value.clone()
        return self._memory[place, value.shape]


def cuda_capture(device: torch.device) -> Capture:
    """Captures that share their memory: nothing of one is needed while another is replayed.

    They have a stream of their own, for what a matrix library keeps for a stream is freed with its graphs.
    """
    with torch.cuda.device(device):
        pool, stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def capture(run: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        # The outer context is for a capture that fails: torch would leave us on its stream. Another thread may be
        # loading the next model meanwhile, which is no reason to fail.
        with (
            torch.cuda.device(device),
            torch.cuda.stream(stream),
            torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"),
        ):
            results = run()
        return results, graph.replay

    return capture
