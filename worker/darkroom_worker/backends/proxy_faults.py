"""What an error of a proxy means: was the work done, was it billed, when to ask again.

A proxy that answers an error in JSON has booked nothing for it; one that was cut off, or whose
front end answered in its stead, may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import msgspec
from google.genai import errors

from darkroom.models import AttemptState
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import quota
from darkroom_worker.backends.base import Break, Outcome
from darkroom_worker.backends.faults import read_error

_MESSAGE_LENGTH: Final = 2_000
_SHOWN: Final = 200
_DONE_PERHAPS: Final = frozenset({408, 499, 504})
_OVERLOADED: Final = frozenset({503, 529})
_LATE: Final = ("timeout", "timed out", "deadline exceeded")
# As OpenAI, OpenRouter, LiteLLM and new-api, which most relays run, write them (2026-11).
_BLOCKED: Final = frozenset(
    {
        "content_policy_violation",
        "content_filter",
        "moderation_blocked",
        "prompt_blocked",
        "sensitive_words_detected",
    }
)
_PENNILESS: Final = frozenset(
    {
        "billing_hard_limit_reached",
        "insufficient_credits",
        "insufficient_quota",
        "insufficient_user_quota",
        "pre_consume_token_quota_failed",
    }
)
_MODELLESS: Final = frozenset({"model_not_found", "model_not_available"})


class Declined(Exception):
    """An answer that is no success by its status."""

    def __init__(self, status: int, body: bytes, response: aiohttp.ClientResponse) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.response = response


class _Fault(msgspec.Struct, frozen=True):
    """An error as a proxy tells it. `status` is HTTP's, or what a body of 200 says instead."""

    status: int
    http_status: int
    code: str
    said: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]


def read_declined(declined: Declined) -> Outcome:
    """Classify an answer with an error's status."""
    status = declined.status
    try:
        document = msgspec.json.decode(declined.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        document = None
    found = document[0] if isinstance(document, list) and document else document
    body = error_of(found) if isinstance(found, dict) else None
    if body is None or status < HTTPStatus.BAD_REQUEST:
        return _by_a_stranger(status, declined.body, declined.response.headers)
    if _is_googles(body):
        return read_error(errors.APIError(status, found, declined.response))
    return _judged(_fault(status, status, body, declined.response.headers))


def read_hidden(body: Mapping[str, Any]) -> Outcome:
    """Classify an error that came as a success, by the status that it names itself."""
    told = body.get("code") if body.get("code") is not None else body.get("status")
    text = str(told)
    status = int(text) if text.isdecimal() and len(text) == len("200") else 0
    is_status = HTTPStatus.BAD_REQUEST <= status < 600  # noqa: PLR2004  # the last of HTTP's
    outcome = _judged(_fault(status if is_status else 0, 200, body, {}))
    return msgspec.structs.replace(outcome, http_status=200)


def error_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The error that a document is about, if it is about one."""
    told = document.get("error")
    if isinstance(told, dict) and told:
        return told
    if isinstance(told, str) and told:
        return {"message": told, "code": document.get("code")}
    is_error = document.get("success") is False or str(document.get("type")) == "error"
    said = document.get("message") or document.get("detail") or document.get("msg")
    if said and (is_error or not document.keys() & {"choices", "data", "candidates"}):
        return {**document, "message": said}
    return None


def _fault(
    status: int, http_status: int, body: Mapping[str, Any], headers: Mapping[str, str]
) -> _Fault:
    code = str(body.get("code") or body.get("type") or "").lower()
    said = str(body.get("message") or body.get("msg") or code or "no reason given")
    return _Fault(status, http_status, code, said[:_MESSAGE_LENGTH], body, headers)


def _judged(fault: _Fault) -> Outcome:
    known = _by_words(fault)
    if known is not None:
        return known
    status = fault.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait, rest = quota.break_of(fault.body, fault.headers, fault.said)
        return _outcome(fault, AttemptState.BUSY, wait=wait, rest=rest)
    if status in _OVERLOADED:
        wait = quota.wait_of(fault.body, fault.headers)
        return _outcome(fault, AttemptState.BUSY, wait=wait)
    if status in (401, 403):
        return _outcome(fault, AttemptState.DENIED, rest=_refused_key(fault.said))
    if status in (404, 405):
        return _outcome(fault, AttemptState.DENIED, rest=_wrong_place(f"not there: {fault.said}"))
    if status in (0, 500, 502):
        is_late = any(word in fault.said.lower() for word in _LATE)
        return _outcome(fault, AttemptState.LOST if is_late else AttemptState.TRANSIENT)
    if status in _DONE_PERHAPS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _outcome(fault, AttemptState.LOST)
    reason = fault.code.upper()[:60] or "INVALID_REQUEST"
    return _outcome(fault, AttemptState.INVALID, finish_reason=reason)


def _by_words(fault: _Fault) -> Outcome | None:
    """What the error's own code says more exactly than a status does."""
    said = fault.said.lower()
    if fault.code in _BLOCKED or _is_moderated(fault.body):
        reason = fault.code.upper() if fault.code in _BLOCKED else "MODERATION"
        return _outcome(fault, AttemptState.REFUSED, block_reason=reason)
    if fault.status == HTTPStatus.PAYMENT_REQUIRED or fault.code in _PENNILESS:
        return _outcome(fault, AttemptState.BUSY, rest=_penniless(fault.said))
    is_modelless = fault.code in _MODELLESS or "no available channel" in said
    if is_modelless or (fault.status == HTTPStatus.NOT_FOUND and "model" in said):
        return _outcome(fault, AttemptState.GONE, rest=_gone(fault.said))
    return None


def _is_moderated(body: Mapping[str, Any]) -> bool:
    """OpenRouter answers 403 with the reasons of its moderation (Errors, 2026)."""
    told = body.get("metadata")
    return isinstance(told, dict) and bool(told.get("reasons"))


def _outcome(fault: _Fault, ended: AttemptState, **more: Any) -> Outcome:
    return Outcome(ended=ended, http_status=fault.http_status, message=fault.said, **more)


def _by_a_stranger(status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """Read an answer without a proxy's error: a front end, a login page, another server spoke."""
    shown = body[:_SHOWN].decode(errors="replace").strip()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        shown = f"a redirect to {str(headers.get('Location', 'nowhere'))[:_SHOWN]}"
    said = f"HTTP {status} that is no proxy's: {shown or 'an empty answer'}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = quota.retry_after(headers)
        return Outcome(ended=AttemptState.BUSY, http_status=status, message=said, wait=wait)
    if status in _DONE_PERHAPS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome(ended=AttemptState.LOST, http_status=status, message=said)
    rest = _wrong_place(said)
    return Outcome(ended=AttemptState.DENIED, http_status=status, message=said, rest=rest)


def _is_googles(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("code"), int) and isinstance(body.get("status"), str)


def _wrong_place(reason: str) -> Break:
    hint = f"Check proxy.base_url and proxy.mode with `darkroom backend test {Tier.PROXY}`, {_THEN}"
    return Break(whole_tier=True, seconds=None, reason=reason, hint=hint)


def _refused_key(said: str) -> Break:
    hint = f"Check proxy.api_key, {_THEN}"
    return Break(whole_tier=True, seconds=None, reason=f"credentials refused: {said}", hint=hint)


def _penniless(said: str) -> Break:
    hint = f"Add credit at the proxy, {_THEN}"
    return Break(whole_tier=True, seconds=None, reason=f"credits used up: {said}", hint=hint)


def _gone(said: str) -> Break:
    hint = f"Give the proxy's own name for it in proxy.models, {_THEN}"
    return Break(whole_tier=False, seconds=None, reason=f"model not found: {said}", hint=hint)


_THEN: Final = f"then `darkroom tier resume {Tier.PROXY}`."
