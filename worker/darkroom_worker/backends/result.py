"""Reads a line of a batch's results: whose it says it is, and how that request ended.

Shapes: Google, Gemini API, Batch API (`key`, `response`, `error`), and Vertex AI, Batch inference
from Cloud Storage (`status`, echoed `request`, `response`), both read in 2026.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from darkroom.models import AttemptState
from darkroom_worker.backends.asking import fingerprint
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.batch import Result, Unreadable
from darkroom_worker.backends.reading import Answer, parsed, read_answer, without_pictures

LABEL: Final = "darkroom_attempt"
"""The label that carries an attempt's id through Vertex."""

_MESSAGE_LENGTH: Final = 2_000
_STATUS_BODY: Final = re.compile(r"\{.*\}", re.DOTALL)


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    status: str = ""


class _Line(msgspec.Struct):
    key: str | None = None
    request: dict[str, Any] | None = None
    response: Answer | None = None
    error: _Error | None = None
    status: str = ""


class _Status(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


_LINE: Final = msgspec.json.Decoder(_Line)
_STATUS: Final = msgspec.json.Decoder(_Status)


def read_result(line: bytes) -> Result:
    """Read one line of either API. Raises Unreadable."""
    bare, pictures = without_pictures(line)
    try:
        read = parsed(_LINE, bare)
    except msgspec.MsgspecError as error:
        raise Unreadable(str(error)) from error
    asked = None if read.request is None else fingerprint(read.request)
    return Result(_attempt_id(read), asked, _outcome(read, pictures))


def _attempt_id(line: _Line) -> str | None:
    labels = (line.request or {}).get("labels")
    label = labels.get(LABEL) if isinstance(labels, dict) else None
    return line.key or (str(label) if label else None)


def _outcome(line: _Line, pictures: list[memoryview]) -> Outcome:
    if line.error is not None:
        return _failed(line.error)
    if line.status:
        return _failed(_status(line.status))
    if line.response is None:
        raise Unreadable("it holds neither a response nor an error")
    outcome = read_answer(line.response, pictures, {})
    # A batch is charged as a batch, whatever level the usage of its lines names.
    return msgspec.structs.replace(outcome, level=None)


def _status(status: str) -> _Error:
    """Read `Bad Request: {"error": …}`; words alone are a failure of this line, too."""
    found = _STATUS_BODY.search(status)
    try:
        error = _STATUS.decode(found[0]).error if found else _Error()
    except msgspec.MsgspecError:
        error = _Error()
    return error if error.message else _Error(error.code, status, error.status)


# The batch was taken, so key and model are good: 403 and 404 speak of what this line refers to. As
# DENIED or GONE it would go into one batch after the other for ever.
_ENDINGS: Final = {
    400: AttemptState.INVALID,
    403: AttemptState.INVALID,
    404: AttemptState.INVALID,
    429: AttemptState.BUSY,
    499: AttemptState.NOT_SENT,
    503: AttemptState.BUSY,
    # google.rpc.Code, where a line carries that instead: CANCELLED, INVALID_ARGUMENT, NOT_FOUND,
    # PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE
    1: AttemptState.NOT_SENT,
    3: AttemptState.INVALID,
    5: AttemptState.INVALID,
    7: AttemptState.INVALID,
    8: AttemptState.BUSY,
    14: AttemptState.BUSY,
}


def _failed(error: _Error) -> Outcome:
    """Say how a line failed: nothing of it is billed (Vertex AI, Batch inference, 2026)."""
    return Outcome(
        ended=_ENDINGS.get(error.code, AttemptState.TRANSIENT),
        http_status=error.code if error.code >= 100 else None,  # noqa: PLR2004  # no HTTP status
        finish_reason=error.status or None,
        message=error.message[:_MESSAGE_LENGTH] or "The line failed without a word.",
    )
