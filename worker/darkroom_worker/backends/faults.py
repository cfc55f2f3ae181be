"""What an error of Google's SDK means: was the work done, was it billed, when to ask again."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from google.auth import exceptions as auth
from google.genai import errors

from darkroom.models import AttemptState
from darkroom_worker.backends import quota
from darkroom_worker.backends.base import Break, Outcome

_MESSAGE_LENGTH: Final = 2_000
_DONE_PERHAPS: Final = frozenset({408, 499, 504})  # somebody stopped waiting; the work went on


def read_error(error: Exception) -> Outcome:
    """Classify anything that a request can raise."""
    if isinstance(error, errors.APIError):
        return _answered(error)
    if isinstance(error, aiohttp.ClientConnectorError | auth.TransportError):
        return Outcome(ended=AttemptState.NOT_SENT, message=_text(error))
    if isinstance(error, auth.GoogleAuthError):
        return _denied(None, _text(error))
    if isinstance(error, aiohttp.ClientError | TimeoutError | OSError | EOFError):
        said = _text(error) or "no answer in time"
        return Outcome(ended=AttemptState.LOST, message=f"The answer never came: {said}")
    if isinstance(error, UnicodeError) or "JSON" in type(error).__name__:
        return Outcome(ended=AttemptState.LOST, message=f"The answer is not JSON: {_text(error)}")
    if isinstance(error, ValueError | TypeError):  # the SDK refuses it before it sends it
        return Outcome(ended=AttemptState.INVALID, message=_text(error))
    return Outcome(ended=AttemptState.LOST, message=_text(error))


def _answered(error: errors.APIError) -> Outcome:
    body = _google_body(error.details)
    if body is None:
        return _answered_by_another(error)
    status, said = error.code, str(body.get("message") or error.message or "")[:_MESSAGE_LENGTH]
    reasons = _reasons(body)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _busy(error, body, said)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        rest = quota.out_of_credit(said)
        return Outcome(ended=AttemptState.BUSY, http_status=status, message=said, rest=rest)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        wait = quota.wait_of(body, _headers(error))
        return Outcome(ended=AttemptState.BUSY, http_status=status, message=said, wait=wait)
    if status in (500, 502):
        return Outcome(ended=AttemptState.TRANSIENT, http_status=status, message=said)
    if status in (401, 403) or "API_KEY_INVALID" in reasons:
        return _denied(status, said)
    if status == HTTPStatus.NOT_FOUND:
        return _gone(said)
    if status in _DONE_PERHAPS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome(ended=AttemptState.LOST, http_status=status, message=said)
    reason = str(body.get("status") or "INVALID_ARGUMENT")
    return Outcome(
        ended=AttemptState.INVALID, http_status=status, message=said, finish_reason=reason
    )


def _answered_by_another(error: errors.APIError) -> Outcome:
    """No Google error body: a proxy or load balancer spoke, and the work may have been done."""
    said = f"HTTP {error.code} that is not Google's: {str(error.message)[:200]}"
    if error.code == HTTPStatus.TOO_MANY_REQUESTS:
        wait = quota.retry_after(_headers(error))
        return Outcome(ended=AttemptState.BUSY, http_status=429, message=said, wait=wait)
    if error.code in _DONE_PERHAPS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome(ended=AttemptState.LOST, http_status=error.code, message=said)
    hint = "Check the base URL, and what stands between this machine and Google."
    rest = Break(whole_tier=True, seconds=None, reason=said, hint=hint)
    return Outcome(ended=AttemptState.DENIED, http_status=error.code, message=said, rest=rest)


def _busy(error: errors.APIError, body: dict[str, Any], said: str) -> Outcome:
    wait, rest = quota.break_of(body, _headers(error), said)
    return Outcome(ended=AttemptState.BUSY, http_status=429, message=said, wait=wait, rest=rest)


def _denied(status: int | None, said: str) -> Outcome:
    hint = (
        "Check the key or the service account with `darkroom doctor`, then `darkroom tier resume`."
    )
    rest = Break(whole_tier=True, seconds=None, reason=f"credentials refused: {said}", hint=hint)
    return Outcome(ended=AttemptState.DENIED, http_status=status, message=said, rest=rest)


def _gone(said: str) -> Outcome:
    hint = "Choose another model: `darkroom models` names successors. Then `darkroom tier resume`."
    rest = Break(whole_tier=False, seconds=None, reason=f"model not found: {said}", hint=hint)
    return Outcome(ended=AttemptState.GONE, http_status=404, message=said, rest=rest)


def _google_body(details: Any) -> dict[str, Any] | None:  # noqa: ANN401  # whatever was answered
    found = details[0] if isinstance(details, list) and details else details
    body = found.get("error") if isinstance(found, dict) else None
    return body if isinstance(body, dict) and "status" in body and "code" in body else None


def _reasons(body: dict[str, Any]) -> set[str]:
    return {str(entry.get("reason")) for entry in quota.details(body, "ErrorInfo")}


def _headers(error: errors.APIError) -> Mapping[str, str]:
    return getattr(error.response, "headers", None) or {}


def _text(error: Exception) -> str:
    return str(error)[:_MESSAGE_LENGTH] or type(error).__name__
