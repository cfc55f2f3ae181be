"""The seam to providers: send a request, read the reply as one of few outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from darkroom.models import AttemptState
from darkroom.registry import Level, Usage
from darkroom.request import Request
from darkroom_manifests.tier import Tier


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """A tier, or one model on it, should send nothing: for `seconds`, or until a person acts.

    With `size` it is images of that size of the model alone.
    """

    whole_tier: bool
    seconds: float | None
    reason: str
    hint: str | None = None
    size: str | None = None


class Fetched(msgspec.Struct, frozen=True):
    """A picture that the answer only told the address of; `said` is why it is not here.

    `rest` is for an address that must not be fetched from, until a person says otherwise.
    """

    image: bytes | None = None
    said: str | None = None
    rest: Break | None = None


class Reply(msgspec.Struct, frozen=True):
    """What came back, unread: a body, or the error that stood in its place."""

    body: bytes | None
    headers: Mapping[str, str]
    error: Exception | None
    latency_ms: int
    fetched: Fetched | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one request ended. `wait` is what the provider asked for, in seconds.

    `cost_nusd` is what the provider itself says that it costs, if it does. `signed` are the parts
    of an answer that go back with its image when another turn follows.
    """

    ended: AttemptState
    image: bytes | None = None
    usage: Usage | None = None
    cost_nusd: int | None = None
    level: Level | None = None
    traffic_type: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None
    block_reason: str | None = None
    message: str | None = None
    response_id: str | None = None
    wait: float | None = None
    rest: Break | None = None
    signed: str | None = None


class Backend(Protocol):
    """Code that speaks one API. Every backend passes `tests/contract/test_backends.py`."""

    async def send(self, request: Request, model: str, seconds: float) -> Reply:
        """Send once: exactly one POST, whatever happens to it. Errors are in the reply."""
        ...

    def read(self, reply: Reply) -> Outcome:
        """Classify a reply. Decodes megabytes: call it off the event loop."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Unavailable(Exception):
    """A tier cannot be spoken to at all; `rest` says what a person must do."""

    def __init__(self, tier: Tier, rest: Break) -> None:
        super().__init__(f"{tier}: {rest.reason}")
        self.rest = rest
