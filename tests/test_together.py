"""Waiting prompts are decoded together, those that nobody wants any more not at all."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from annotator.errors import InvalidPrompt
from annotator.sam.candidates import Question
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.serving import together
from annotator.serving.engine import Chunks, Engine, Priority
from annotator.serving.memory import DeviceMemory
from annotator.types import Point, Prompt
from tests.conftest import all_done

CLICK = Prompt((Point(200, 150, 1),))


@pytest.fixture(scope="module")
def embedding(predictor: Predictor, cat: np.ndarray) -> ImageEmbedding:
    return predictor.encode([cat])[0]


def asked_while_busy(
    predictor: Predictor, questions: list[Question], is_wanted: list[bool]
) -> tuple[list[Future[Any]], Engine]:
    """Ask all questions in one turn of the engine, as clicks do that arrive while it works on something else."""
    engine = Engine()
    asking = together.Together(engine, DeviceMemory(lambda: None))
    answers: list[Future[Any]] = []
    gate = threading.Event()

    def ask() -> None:
        for question, wanted in zip(questions, is_wanted, strict=True):
            answers.append(asking.ask(Priority.CLICK, predictor, question, lambda wanted=wanted: wanted))  # type: ignore[misc]

    engine.submit(Priority.CLICK, lambda: gate.wait(60))
    engine.submit(Priority.CLICK, ask)
    gate.set()
    all_done(engine)
    return answers, engine


def test_all_that_waits_is_decoded_in_one_call(
    predictor: Predictor, embedding: ImageEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    decode = together.decode_together
    monkeypatch.setattr(together, "decode_together", lambda p, q: (sizes.append(len(q)), decode(p, q))[1])
    answers, engine = asked_while_busy(predictor, [Question(embedding, CLICK)] * 3, [True, False, True])
    assert sizes == [2]
    assert [each.done() for each in answers] == [True, False, True]
    engine.close()


def test_a_question_that_fails_spoils_no_other_answer(predictor: Predictor, embedding: ImageEmbedding) -> None:
    broken = Question(embedding, Prompt((Point(float("nan"), 1, 1),)))
    answers, engine = asked_while_busy(predictor, [Question(embedding, CLICK), broken], [True, True])
    assert answers[0].result(0)[1].logits.shape[0] == 4
    with pytest.raises(InvalidPrompt):
        answers[1].result(0)
    engine.close()


def test_more_than_one_turn_takes_is_answered_in_several(
    predictor: Predictor, embedding: ImageEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "_MOST", 2)
    answers, engine = asked_while_busy(predictor, [Question(embedding, CLICK)] * 5, [True] * 5)
    assert all(each.done() for each in answers)
    engine.close()


def test_a_full_queue_keeps_no_click_waiting_that_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "decode_together", lambda _, questions: ["decoded"] * len(questions))
    most = together._MOST + 8
    engine = Engine(max_queue=most)
    asking = together.Together(engine, DeviceMemory(lambda: None))
    busy, gate = threading.Event(), threading.Event()

    def occupy() -> None:
        busy.set()
        gate.wait(60)

    engine.submit(Priority.BACKGROUND, occupy)
    assert busy.wait(20)  # clicks that come before it has begun would be taken first

    def click() -> Chunks[Any]:
        question: Any = None
        answer = asking.ask(Priority.CLICK, question, question, lambda: True)
        yield answer
        return answer.result()

    clicks = [engine.submit(Priority.CLICK, click()) for _ in range(most)]
    gate.set()
    assert [each.result(20)[1] for each in clicks] == ["decoded"] * most
    engine.close()
