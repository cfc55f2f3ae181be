"""Errors as OpenAI and the proxies write them."""

from __future__ import annotations

from typing import Any

import msgspec

from darkroom_simulator import faults
from darkroom_simulator.faults import Faults, Name
from darkroom_simulator.problem import Problem
from darkroom_simulator.target import Target

CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    402: "insufficient_credits",
    404: "model_not_found",
    429: "rate_limit_exceeded",
    500: "internal_error",
    503: "overloaded",
    504: "upstream_timeout",
}
BLOCKED = "Your request was rejected as a result of our safety system."
STOPPED = (Name.BLOCK, Name.REFUSE, Name.PROHIBITED, Name.RECITATION)


def shaped(problem: Problem) -> bytes:
    """Write the body of an error."""
    if problem.html:
        return problem.body
    error: dict[str, Any] = {
        "message": problem.text,
        "type": "upstream_error",
        "code": coded(problem),
        "param": None,
    }
    if problem.details:
        error["details"] = problem.details
    return msgspec.json.encode({"error": error})


def coded(problem: Problem) -> int | str:
    """The code of an error: what a body of 200 is to say, or the usual word."""
    if problem.hidden_code:
        return problem.told
    return problem.status or CODES.get(problem.code, "error")


def of_chat(met: Faults, target: Target) -> Problem | None:
    """Find the fault that is an error answer; a blocked prompt is one here."""
    if Name.BLOCK in met:
        return blocked(Name.BLOCK)
    return faults.problem(met, target)


def of_images(met: Faults, target: Target) -> Problem | None:
    """The same where there is no message to refuse in: what is filtered is an error, too."""
    cause = next((name for name in STOPPED if name in met), None)
    return blocked(cause) if cause else faults.problem(met, target)


def blocked(cause: Name) -> Problem:
    """Say that the content is not drawn."""
    return Problem(400, BLOCKED, cause, status="content_policy_violation")
