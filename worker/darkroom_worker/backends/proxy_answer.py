"""Reads what a proxy answers: the picture in whatever shape, its cost, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from darkroom.models import AttemptState
from darkroom_worker.backends.base import Fetched, Outcome
from darkroom_worker.backends.proxy_faults import error_of, read_hidden
from darkroom_worker.backends.proxy_shape import choices, found_in, messages, native_words, words
from darkroom_worker.backends.proxy_text import Found, found_in_text
from darkroom_worker.backends.proxy_usage import cost_in, cost_told, usage_in
from darkroom_worker.backends.reading import REFUSALS, parsed, read_body, with_picture

_DECODER: Final = msgspec.json.Decoder()
_SHOWN: Final = 200
_MESSAGE_LENGTH: Final = 2_000
_FILTERED: Final = frozenset({"content_filter", "safety"})
_GOOGLES: Final = frozenset({"candidates", "promptFeedback"})
_UNFETCHED: Final = Fetched(said="it was not looked for")


def read_answer(body: bytes, headers: Mapping[str, str], fetched: Fetched | None) -> Outcome:
    """Classify a 200 answer. Success is a picture that is there; an error in it is an error."""
    document = _document(body)
    if isinstance(document, Outcome):
        return document
    outcome, found = _shaped(document, body, headers)
    if outcome.image is not None or outcome.ended is AttemptState.SPOILED:
        return outcome
    if found is not None:
        return _drawn(outcome, found, fetched or _UNFETCHED)
    if (error := _error(document)) is not None:
        return _failed(read_hidden(error), outcome)
    return outcome


def hosted_in(body: bytes) -> str | None:
    """The address of the picture, where the answer holds that instead of the picture."""
    document = _document(body)
    if isinstance(document, Outcome):
        return None
    native = _GOOGLES & document.keys()
    found = found_in_text(native_words(document)) if native else found_in(document)
    return None if found is None else found.url


def _document(body: bytes) -> dict[str, Any] | Outcome:
    try:
        document = parsed(_DECODER, body)
    except (msgspec.DecodeError, RecursionError):
        said = f"The answer is not JSON: {_shown(body) or 'it is empty'}"
        return Outcome(ended=AttemptState.LOST, http_status=200, message=said)
    if isinstance(document, dict):
        return document
    if document == []:
        return _imageless("EMPTY", "The answer is an empty list.")
    said = f"The answer is not what a proxy answers: {_shown(body)}"
    return Outcome(ended=AttemptState.LOST, http_status=200, message=said)


def _shown(body: bytes) -> str:
    return body[:_SHOWN].decode(errors="replace").strip()


def _shaped(
    document: dict[str, Any], body: bytes, headers: Mapping[str, str]
) -> tuple[Outcome, Found | None]:
    """Read by Google's shape or by OpenAI's, whichever was asked for: proxies mix them."""
    cost = cost_in(document)
    cost = cost_told(headers) if cost is None else cost
    if _GOOGLES & document.keys():
        outcome = msgspec.structs.replace(read_body(body, headers), cost_nusd=cost)
        is_silent = outcome.ended is AttemptState.NO_IMAGE
        return outcome, found_in_text(native_words(document)) if is_silent else None
    found = found_in(document)
    outcome = _without_picture(document)
    usage = usage_in(document, drawn=found is not None)
    told = document.get("id")
    response_id = told[:_SHOWN] if isinstance(told, str) else None
    return msgspec.structs.replace(
        outcome, usage=usage, cost_nusd=cost, response_id=response_id
    ), found


def _without_picture(document: dict[str, Any]) -> Outcome:
    """Say why there is none: refused by a filter, or in words, or for no reason given."""
    for choice in choices(document):
        for told in (choice.get("native_finish_reason"), choice.get("finish_reason")):
            if str(told).upper() in REFUSALS or str(told).lower() in _FILTERED:
                return _refused(str(told).upper(), words(document))
    refusal = next((m["refusal"] for m in messages(document) if m.get("refusal")), None)
    if refusal is not None:
        return _refused("REFUSAL", str(refusal))
    said, reason = words(document), _native_reason(document)
    if reason is None:
        reason = "TEXT_ONLY" if said else "EMPTY"
    return _imageless(reason, said or "No image came back.")


def _native_reason(document: dict[str, Any]) -> str | None:
    """What Google said, where the proxy hands it on; STOP says nothing."""
    told = [choice.get("native_finish_reason") for choice in choices(document)]
    return next((str(each).upper() for each in told if each and str(each).upper() != "STOP"), None)


def _refused(reason: str, said: str) -> Outcome:
    return msgspec.structs.replace(_imageless(reason, said or reason), ended=AttemptState.REFUSED)


def _imageless(reason: str, said: str) -> Outcome:
    return Outcome(
        ended=AttemptState.NO_IMAGE,
        http_status=200,
        finish_reason=reason[:_SHOWN],
        message=said[:_MESSAGE_LENGTH],
    )


def _drawn(outcome: Outcome, found: Found, fetched: Fetched) -> Outcome:
    bare = msgspec.structs.replace(
        outcome, ended=AttemptState.DELIVERED, finish_reason=None, message=None
    )
    if found.base64 is not None:
        return with_picture(bare, found.base64, None)
    if fetched.image is not None:
        return msgspec.structs.replace(bare, image=fetched.image)
    said = f"The image was paid, and could not be fetched from {found.url}: {fetched.said}"
    return msgspec.structs.replace(
        bare,
        ended=AttemptState.SPOILED,
        finish_reason="HOSTED_IMAGE",
        message=said[:_MESSAGE_LENGTH],
        rest=fetched.rest,
    )


def _error(document: dict[str, Any]) -> Mapping[str, Any] | None:
    """The error of a 200, at its top or in a choice."""
    inner = (error_of({"error": choice.get("error")}) for choice in choices(document))
    return error_of(document) or next((each for each in inner if each), None)


def _failed(failure: Outcome, read: Outcome) -> Outcome:
    """An error costs nothing, unless the proxy says itself what it took: that must be booked."""
    if not read.cost_nusd:
        return failure
    return msgspec.structs.replace(
        read, ended=AttemptState.NO_IMAGE, finish_reason="ERROR", message=failure.message
    )
