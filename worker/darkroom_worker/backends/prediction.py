"""Reads what Imagen's `:predict` answers: the picture, or why it was filtered."""

from __future__ import annotations

from typing import Final

import msgspec

from darkroom.models import AttemptState
from darkroom.registry import Usage
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.reading import parsed, with_picture, without_pictures
from darkroom_worker.backends.support_codes import category

_FILTERED: Final = "RAI_FILTERED"
# A prompt that is blocked is answered by 400 (Google, Vertex AI, Responsible AI for Imagen, 2025).
_BLOCKING: Final = ("Responsible AI practices", "Support codes")
_MESSAGE_LENGTH: Final = 2_000
_FREE: Final = Usage()
"""Pictures are billed by the piece: there are no tokens, and what was filtered costs nothing."""


class _Prediction(msgspec.Struct, rename="camel"):
    bytes_base64_encoded: str = ""
    rai_filtered_reason: str | None = None


class _Answer(msgspec.Struct):
    predictions: list[_Prediction] = []


_DECODER: Final = msgspec.json.Decoder(_Answer)


def read_predictions(body: bytes) -> Outcome:
    """Classify a 200 answer. Success is a picture that is there."""
    bare, pictures = without_pictures(body)
    try:
        answer = parsed(_DECODER, bare)
    except msgspec.MsgspecError as error:
        said = f"The answer is not what Google answers: {error}"
        return Outcome(ended=AttemptState.LOST, http_status=200, message=said)
    outcome = Outcome(ended=AttemptState.DELIVERED, http_status=200, usage=_FREE)
    for found in answer.predictions:
        if found.bytes_base64_encoded.isdecimal():
            return with_picture(outcome, pictures[int(found.bytes_base64_encoded)], None)
    return _imageless(answer, outcome)


def _imageless(answer: _Answer, outcome: Outcome) -> Outcome:
    reasons = [each.rai_filtered_reason for each in answer.predictions if each.rai_filtered_reason]
    if reasons:
        return msgspec.structs.replace(
            outcome,
            ended=AttemptState.REFUSED,
            finish_reason=_reason(reasons[0]),
            message=reasons[0][:_MESSAGE_LENGTH],
        )
    said = "No image came back, and no reason for it."
    return msgspec.structs.replace(
        outcome, ended=AttemptState.NO_IMAGE, finish_reason="EMPTY", message=said
    )


def blocked(outcome: Outcome) -> Outcome:
    """Tell a prompt that Google will not draw from a request that it does not understand."""
    said = outcome.message or ""
    if outcome.ended is not AttemptState.INVALID or not any(word in said for word in _BLOCKING):
        return outcome
    return msgspec.structs.replace(
        outcome, ended=AttemptState.REFUSED, finish_reason=None, block_reason=_reason(said)
    )


def _reason(said: str) -> str:
    """The category of Google's sentence as a reason: `RAI_VIOLENCE`."""
    named = category(said)
    return _FILTERED if named is None else f"RAI_{named}"
