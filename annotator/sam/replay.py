"""CUDA graphs of the mask decoder: one prompt is some hundred small kernels, whose launches cost more than their work.

A graph is replayed with one launch, but only for the tensors and shapes it was captured with. Shapes are kept exactly,
one graph for each number of points: padding a prompt would add tokens that the others attend to and change its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...]
Capture = Callable[[Callable[[], Tensors]], tuple[Tensors, Callable[[], None]]]
"""Takes a run of kernels; gives its results, and what runs them again into the same memory."""

_MAX_POINTS = 16
"""More are rare, and each graph keeps its own results: 1 MiB."""


class _Captured(NamedTuple):
    inputs: Tensors
    outputs: Tensors
    again: Callable[[], None]


class ReplayedDecoder:
    """The same function as `decoder`, faster for a single prompt of a kind it has answered before.

    The first prompt of its kind runs as it is, which also warms up what libraries set up lazily, and is captured then.
    One thread at a time may call it.
    """

    def __init__(self, decoder: Callable[..., Tensors], capture: Capture) -> None:
        """`decoder` is a `graphs.MaskDecoder`, of either variant."""
        self._decoder = decoder
        self._capture: Capture | None = capture
        self._captured: dict[tuple[torch.Size, ...], _Captured] = {}
        self._inputs: dict[tuple[int, torch.Size], Tensor] = {}

    def __call__(self, *inputs: Tensor) -> Tensors:
        """Decode; what is returned is the caller's own."""
        features, coords = inputs[0], inputs[3]
        single = len(features) == len(coords) == 1 and coords.shape[1] <= _MAX_POINTS
        kind = tuple(each.shape for each in inputs)
        if single and (captured := self._captured.get(kind)):
            torch._foreach_copy_(captured.inputs, inputs)
            captured.again()
            return tuple(each.clone() for each in captured.outputs)
        answer = self._decoder(*inputs)
        if single and self._capture is not None:
            own = tuple(self._own(place, each) for place, each in enumerate(inputs))
            try:
                self._captured[kind] = _Captured(own, *self._capture(lambda: self._decoder(*own)))
            except RuntimeError as error:
                log.warning("The mask decoder runs without CUDA graphs (%s).", error)
                self._capture = None
        return answer

    def _own(self, place: int, value: Tensor) -> Tensor:
        """Memory that graphs read in place of the argument `value`. All share what has the same shape: the image."""
        if (place, value.shape) not in self._inputs:
            self._inputs[place, value.shape] = value.clone()
        return self._inputs[place, value.shape]


def cuda_capture() -> Capture:
    """Captures that share their memory: nothing of one is needed while another is replayed."""
    pool = torch.cuda.graph_pool_handle()

    def capture(run: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        # Another thread may be loading the next model meanwhile; that should not end the capture.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            results = run()
        return results, graph.replay

    return capture
