"""CUDA graphs of the mask decoder: one prompt is some hundred small kernels, whose launches cost more than their work.

A graph is replayed with one launch, but only for the tensors and shapes it was captured with. Shapes are kept exactly,
one graph for each number of points: padding a prompt would add tokens that the others attend to and change its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
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
"""More are rare, and each graph keeps its own results: 1 to 4 MiB."""


class _Captured(NamedTuple):
    inputs: Tensors
    outputs: Tensors
    replay: Callable[[], None]


class DecoderGraphs:
    """Runs a model's decoders, and replays the kinds of single prompts that were captured. Not thread-safe."""

    def __init__(self, capture: Capture) -> None:
        self._capture: Capture | None = capture
        self._captured: dict[Shapes, _Captured] = {}
        self._pending: dict[Shapes, tuple[Decoder, Tensors]] = {}
        self._static_inputs: dict[tuple[int, torch.Size], Tensor] = {}

    def run(self, decoder: Decoder, *inputs: Tensor) -> Tensors:
        """`decoder`, a `graphs.MaskDecoder`, of its `inputs`. The caller owns the result."""
        kind = tuple(each.shape for each in inputs)  # the decoder's variants differ in how many they take
        if captured := self._captured.get(kind):
            for static, given in zip(captured.inputs, inputs, strict=True):
                static.copy_(given)
            captured.replay()
            return tuple(each.clone() for each in captured.outputs)
        features, coords = inputs[0], inputs[3]
        if self._capture is not None and len(features) == len(coords) == 1 and coords.shape[1] <= _MAX_POINTS:
            self._pending[kind] = decoder, inputs
        return decoder(*inputs)

    @property
    def has_pending(self) -> bool:
        """There were prompts of a kind that is not captured yet."""
        return bool(self._pending)

    def capture_pending(self) -> bool:
        """Capture one pending kind; True if there are more.

        Each kind has run once by then, which has loaded its kernels and set up the matrix library.
        """
        if self._capture is not None and self._pending:
            kind, (decoder, given) = self._pending.popitem()
            inputs = tuple(self._static_input(place, each) for place, each in enumerate(given))
            try:
                self._captured[kind] = _Captured(inputs, *self._capture(lambda: decoder(*inputs)))
            except RuntimeError as error:
                log.warning("The mask decoder runs without CUDA graphs (%s).", error)
                self._capture = None
                for each in (self._pending, self._captured, self._static_inputs):
                    each.clear()
        return self.has_pending

    def _static_input(self, place: int, value: Tensor) -> Tensor:
        """Memory that graphs read in place of an argument. Arguments of the same place and shape share it."""
        if (place, value.shape) not in self._static_inputs:
            self._static_inputs[place, value.shape] = value.clone()
        return self._static_inputs[place, value.shape]


_broken = False
"""A capture failed in this process. torch's allocator is not sure to recover from that, so none is tried again."""


def cuda_capture(device: torch.device) -> Capture:
    """Captures for one model. They share their memory: nothing of one is needed while another is replayed.

    `torch.cuda.graph` does the same, but it first waits for the device and empties the allocator's caches, which the
    next clicks would pay for.
    """
    with torch.cuda.device(device):
        pool = torch.cuda.graph_pool_handle()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def capture(run: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        global _broken
        if _broken:
            raise RuntimeError("an earlier capture failed")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            current = torch.cuda.current_stream()
            stream.wait_stream(current)  # the inputs are being written there
            with torch.cuda.stream(stream):
                run()  # the matrix library's workspace for this stream should not come from the graphs' memory
                try:
                    # Another thread may be loading a model meanwhile, which is no reason to fail.
                    graph.capture_begin(pool, capture_error_mode="thread_local")
                    try:
                        results = run()
                    except BaseException:
                        with suppress(RuntimeError):  # says only that the capture is invalid
                            graph.capture_end()
                        raise
                    graph.capture_end()
                except BaseException:
                    _broken = True
                    _end_capture(torch.cuda.current_device(), pool)
                    raise
            current.wait_stream(stream)
        return results, graph.replay

    return capture


def _end_capture(device_index: int, pool: tuple[int, int]) -> None:
    """What `capture_end` leaves out when it raises; without it the allocator defers frees and keeps its cache."""
    for end in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
        with suppress(RuntimeError):
            end(device_index, pool)
