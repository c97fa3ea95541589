"""Questions of all users and images that wait for the decoder are decoded in one batch, with no artificial wait."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from annotator.sam.candidates import Decoded, Question, decode_together
from annotator.sam.predictor import Predictor
from annotator.serving.engine import Engine, Priority
from annotator.serving.metrics import BATCH_SIZE

_MOST = 32
"""Questions in one turn of the engine."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    predictor: Predictor
    question: Question
    is_wanted: Callable[[], bool]
    answer: Future[tuple[float, Decoded]] = field(default_factory=Future)


class Together:
    """Collects questions until the engine has a turn for them. It is used in the engine's thread only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: defaultdict[Priority, list[_Waiting]] = defaultdict(list)

    def ask(
        self, priority: Priority, predictor: Predictor, question: Question, is_wanted: Callable[[], bool]
    ) -> Future[tuple[float, Decoded]]:
        """The moment when decoding began, as time.perf_counter gives it, and the answer.

        There is no answer if nobody wants it any more when its turn comes.
        """
        waiting = self._waiting[priority]
        if not waiting:
            self._engine.submit(priority, lambda: self._decode(priority), admitted=True)
        waiting.append(_Waiting(predictor, question, is_wanted))
        return waiting[-1].answer

    def _decode(self, priority: Priority) -> None:
        waiting = self._waiting[priority]
        batch, self._waiting[priority] = waiting[:_MOST], waiting[_MOST:]
        if self._waiting[priority]:
            self._engine.submit(priority, lambda: self._decode(priority), admitted=True)
        by_model: defaultdict[int, list[_Waiting]] = defaultdict(list)
        for each in batch:
            if each.is_wanted():
                by_model[id(each.predictor)].append(each)
        for group in by_model.values():
            _answer(group)


def _answer(group: list[_Waiting]) -> None:
    """Decode the questions together. If that fails, one by one, so that no question spoils another one's answer."""
    began = time.perf_counter()
    try:
        found = decode_together(group[0].predictor, [each.question for each in group])
    except Exception as error:
        if len(group) == 1:
            group[0].answer.set_exception(error)
        else:
            for each in group:
                _answer([each])
        return
    BATCH_SIZE.observe(len(group))
    for each, decoded in zip(group, found, strict=True):
        each.answer.set_result((began, decoded))
