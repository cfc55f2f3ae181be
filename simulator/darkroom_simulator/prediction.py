"""Imagen's answers: pictures without tokens, and what the safety filters leave of them."""

from __future__ import annotations

from typing import Any

from darkroom_simulator import faults
from darkroom_simulator.answer import MARK, Answer
from darkroom_simulator.ask import Ask
from darkroom_simulator.bill import Usage
from darkroom_simulator.faults import Faults, Name
from darkroom_simulator.problem import Problem
from darkroom_simulator.target import Target

FILTERED = (
    "Unable to show generated images. All images were filtered out because they violated Vertex "
    "AI's usage guidelines. You will not be charged for blocked images. Try rephrasing the prompt. "
    "If you think this was an error, send feedback. Support codes: {code}"
)
BLOCKED = (
    "Image generation failed with the following error: The prompt could not be submitted. This "
    "prompt contains sensitive words that violate Google's Responsible AI practices. Try "
    "rephrasing the prompt. If you think this was an error, send feedback. Support codes: {code}"
)
# Google, Responsible AI for image models, 2026-08: violence, prohibited content, other.
CODES = {Name.REFUSE: "56562880", Name.PROHIBITED: "49114662", Name.RECITATION: "29578790"}
PROMPT_CODE = "89371032"
SILENT = frozenset(
    {
        Name.TEXT_ONLY,
        Name.NO_IMAGE,
        Name.IMAGE_OTHER,
        Name.MAX_TOKENS,
        Name.EMPTY,
        Name.NO_CANDIDATES,
    }
)


def problem(met: Faults, target: Target) -> Problem | None:
    """Find the fault that is an error answer; a blocked prompt is one here."""
    if Name.BLOCK in met:
        code = met[Name.BLOCK].argument or PROMPT_CODE
        return Problem(400, BLOCKED.format(code=code), Name.BLOCK)
    return faults.problem(met, target)


def compose(ask: Ask, met: Faults) -> Answer:
    """Decide what the answer holds; nothing but delivered pictures is billed."""
    predictions = predicted(ask, met)
    images = sum("bytesBase64Encoded" in each for each in predictions)
    return Answer({"predictions": predictions} if predictions else {}, Usage(), images, images)


def predicted(ask: Ask, met: Faults) -> list[dict[str, Any]]:
    """Write a prediction for each picture; filtered ones go without a word unless asked why."""
    cause = next((name for name in CODES if name in met), None)
    if cause is not None:
        code = met[cause].argument or CODES[cause]
        said = {"raiFilteredReason": FILTERED.format(code=code)}
        return [said] * ask.count if ask.tells_why else []
    if met.keys() & SILENT:
        return []
    mime = ask.mime
    if Name.WRONG_MIME in met:
        mime = "image/png" if mime == "image/jpeg" else "image/jpeg"
    return [{"mimeType": mime, "bytesBase64Encoded": MARK}] * ask.count
