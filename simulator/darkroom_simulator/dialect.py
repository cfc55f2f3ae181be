"""The ways a model is spoken to: how a request is read, refused and answered in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from darkroom_simulator import (
    answer,
    ask,
    faults,
    imagen,
    openai_answer,
    openai_problem,
    openai_request,
    prediction,
)
from darkroom_simulator.answer import Answer
from darkroom_simulator.ask import Ask
from darkroom_simulator.catalog import Catalog, Method
from darkroom_simulator.faults import Faults
from darkroom_simulator.problem import Problem
from darkroom_simulator.target import Target


@dataclass(frozen=True, slots=True)
class Dialect:
    """The steps that differ."""

    read: Callable[[bytes, Target, Catalog], Ask | Problem]
    problem: Callable[[Faults, Target], Problem | None]
    compose: Callable[[Ask, Faults], Answer]


DIALECTS: Mapping[Method, Dialect] = {
    Method.GENERATE: Dialect(ask.read, faults.problem, answer.compose),
    Method.PREDICT: Dialect(imagen.read, prediction.problem, prediction.compose),
    Method.IMAGES: Dialect(
        openai_request.read_images, openai_problem.of_images, openai_answer.images
    ),
    Method.EDITS: Dialect(
        openai_request.read_edits, openai_problem.of_images, openai_answer.images
    ),
    Method.CHAT: Dialect(openai_request.read_chat, openai_problem.of_chat, openai_answer.chat),
}
