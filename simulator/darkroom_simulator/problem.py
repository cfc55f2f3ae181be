"""Errors as Google writes them: a status line and a JSON body with typed details."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
TYPES = "type.googleapis.com/google.rpc."
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# The same as numbers, for operations and lines of batches; google/rpc/code.proto
RPC = {
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "OUT_OF_RANGE": 11,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}


class Problem(msgspec.Struct, frozen=True):
    """An answer that is an error, ready to be sent. `outcome` is its word in the ledger.

    `status` is Google's word for the code, where it is not the usual one. `hidden_code` is the
    code that the body names while the status says that all is well.
    """

    code: int
    message: str
    outcome: str
    details: tuple[dict[str, Any], ...] = ()
    html: bool = False
    status: str = ""
    hidden_code: str = ""

    @property
    def word(self) -> str:
        """Google's word for the code."""
        return self.status or STATUS.get(self.code, "UNKNOWN")

    @property
    def text(self) -> str:
        """The message; a page has none but its title."""
        return self.message or HTTPStatus(self.code).phrase

    @property
    def body(self) -> bytes:
        """The bytes on the wire: Google's JSON, or a load balancer's page."""
        return page(self.code) if self.html else self.json

    @property
    def told(self) -> int | str:
        """The code in the body."""
        hidden = self.hidden_code
        return int(hidden) if hidden.isdecimal() else hidden or self.code

    @property
    def json(self) -> bytes:
        """Google's JSON, whatever goes over the wire."""
        error: dict[str, Any] = {
            "code": self.told,
            "message": self.text,
            "status": self.word,
        }
        if self.details:
            error["details"] = self.details
        return msgspec.json.encode({"error": error})

    @property
    def content_type(self) -> str:
        """The media type of `body`."""
        return HTML if self.html else JSON


def page(code: int) -> bytes:
    """Write the page Google's front end answers with when no service stands behind it."""
    phrase = HTTPStatus(code).phrase
    return (
        f"<!DOCTYPE html><html lang=en><title>Error {code} ({phrase})</title>"
        f"<p><b>{code}.</b> <ins>That's an error.</ins>"
        f"<p>The server encountered a temporary error. Please try again in 30 seconds.</html>"
    ).encode()


def invalid(message: str, *fields: tuple[str, str]) -> Problem:
    """Say 400 INVALID_ARGUMENT; `fields` are (path, what is wrong) pairs for the details."""
    violations = [{"field": field, "description": text} for field, text in fields]
    details = ({"@type": TYPES + "BadRequest", "fieldViolations": violations},) if fields else ()
    return Problem(400, message, "invalid", details)


def not_now(message: str) -> Problem:
    """Say 400 FAILED_PRECONDITION: the state of a thing forbids what was asked."""
    return Problem(400, message, "invalid", status="FAILED_PRECONDITION")


def retry_info(seconds: float) -> dict[str, Any]:
    """Say when to come back, as a protobuf duration."""
    return {"@type": TYPES + "RetryInfo", "retryDelay": f"{seconds:g}s"}


def quota_failure(quota: str, model: str, value: int) -> dict[str, Any]:
    """Name the quota that ran out."""
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_paid_tier_requests",
        "quotaId": quota,
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": str(value),
    }
    return {"@type": TYPES + "QuotaFailure", "violations": [violation]}


def error_info(reason: str) -> dict[str, Any]:
    """Give the machine-readable reason of a refusal."""
    return {
        "@type": TYPES + "ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
