"""The lock on the door: AI Studio's API keys, Vertex's tokens and a proxy's keys."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Platform
from darkroom_simulator.problem import Problem, error_info


def locked(call: Call, keys: AbstractSet[str]) -> Problem | None:
    """Say why a call may not come in; without `keys` any key will do, as any token does."""
    if call.platform is Platform.PROXY:
        return no_bearer(call, keys)
    return no_token(call) if call.platform is Platform.VERTEX else no_key(call, keys)


def no_bearer(call: Call, keys: AbstractSet[str]) -> Problem | None:
    """Check the key of a proxy."""
    scheme, _, key = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key and not (keys and key not in keys):
        return None
    return Problem(401, "Incorrect API key provided.", "denied")


def no_token(call: Call) -> Problem | None:
    """Check that Vertex is given a token."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return None
    message = "Request is missing required authentication credential."
    return Problem(401, message, "denied", (error_info("CREDENTIALS_MISSING"),))


def no_key(call: Call, keys: AbstractSet[str]) -> Problem | None:
    """Check the API key of AI Studio."""
    key = call.headers.get("x-goog-api-key", "")
    if not key:
        message = "Method doesn't allow unregistered callers. Please use API Key."
        return Problem(403, message, "denied")
    if keys and key not in keys:
        message = "API key not valid. Please pass a valid API key."
        return Problem(400, message, "denied", (error_info("API_KEY_INVALID"),))
    return None
