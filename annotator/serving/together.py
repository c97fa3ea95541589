"""Questions of all users and images that wait for the decoder are decoded in one batch, with no artificial wait.

Each user's questions come in their order, and a batch takes them from all users in turn.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from annotator.sam.candidates import Decoded, Question, decode_together
from annotator.sam.predictor import Predictor
from annotator.serving.engine import Engine, Priority
from annotator.serving.memory import DeviceMemory
from annotator.serving.metrics import BATCH_SIZE
from annotator.serving.segmenter import caller

_MOST = 32
"""Questions in one turn of the engine."""

_MOST_OF_ONE = 8
"""Of one user, so that nobody waits long for somebody else's many questions."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    user: str
    predictor: Predictor
    question: Question
    is_wanted: Callable[[], bool]
    answer: Future[tuple[float, Decoded]] = field(default_factory=Future)


class Together:
    """Collects questions until the engine has a turn for them. It is used in the engine's thread only."""

    def __init__(self, engine: Engine, memory: DeviceMemory) -> None:
        self._engine, self._memory = engine, memory
        self._waiting: dict[Priority, dict[str, deque[_Waiting]]] = {each: {} for each in Priority}
        self._turns: set[tuple[Priority, str]] = set()  # users who have a turn of the engine to come

    def ask(
        self, priority: Priority, predictor: Predictor, question: Question, is_wanted: Callable[[], bool]
    ) -> Future[tuple[float, Decoded]]:
        """The moment when decoding began, as time.perf_counter gives it, and the answer.

        There is no answer if nobody wants it any more when its turn comes.
        """
        user = caller.get()
        asked = _Waiting(user, predictor, question, is_wanted)
        self._waiting[priority].setdefault(user, deque()).append(asked)
        self._queue_turn(priority, user)
        return asked.answer

    def _queue_turn(self, priority: Priority, user: str) -> None:
        """Each user who waits has a turn to come, whoever else's turn it is that the questions are decoded in."""
        if (priority, user) not in self._turns:
            self._turns.add((priority, user))
            self._engine.submit(priority, lambda: self._decode(priority, user), part_of=user)

    def _decode(self, priority: Priority, user: str) -> None:
        self._turns.remove((priority, user))
        batch = self._take(priority, user)
        for waits in self._waiting[priority]:
            self._queue_turn(priority, waits)
        if not batch:
            return
        self._engine.share([each.user for each in batch])
        by_model: defaultdict[int, list[_Waiting]] = defaultdict(list)
        for each in batch:
            by_model[id(each.predictor)].append(each)
        for group in by_model.values():
            self._answer(group)

    def _take(self, priority: Priority, first: str) -> list[_Waiting]:
        """Questions that are wanted still, as many of each user who waits, beginning with the user `first`.

        So a single click is not decoded together with many of somebody else, which would take their time.
        """
        waiting = self._waiting[priority]
        for user, questions in list(waiting.items()):
            waiting[user] = deque(each for each in questions if each.is_wanted())
            if not waiting[user]:
                del waiting[user]
        order = sorted(waiting, key=lambda each: each != first)[:_MOST]
        if not order:
            return []
        rounds = min(len(waiting[each]) for each in order)
        rounds = max(1, min(rounds, _MOST_OF_ONE, _MOST // len(order)))
        taken = [waiting[user].popleft() for _ in range(rounds) for user in order]
        for user in order:
            if not waiting[user]:
                del waiting[user]
        for user in {each.user for each in taken} & waiting.keys():
            waiting[user] = waiting.pop(user)  # comes last the next time
        return taken

    def _answer(self, group: list[_Waiting]) -> None:
        """Decode the questions together. If that fails, one by one, so that no question spoils another one's answer.

        That takes less memory as well.
        """
        began = time.perf_counter()
        predictor, questions = group[0].predictor, [each.question for each in group]
        found: list[Decoded] = []
        try:
            if len(group) > 1:
                found = decode_together(predictor, questions)
            else:
                found = self._memory.fit(lambda: decode_together(predictor, questions))
        except Exception as error:
            if len(group) == 1:
                group[0].answer.set_exception(error)
                return
        if not found:
            for each in group:
                self._answer([each])
            return
        BATCH_SIZE.observe(len(group))
        for each, decoded in zip(group, found, strict=True):
            each.answer.set_result((began, decoded))
