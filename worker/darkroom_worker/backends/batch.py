"""The seam to providers' batch APIs: write an input, ask once, find again, read the results.

Synchronous: a batch is a handful of slow calls, made in a thread of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from darkroom.request import Request
from darkroom_worker.backends.base import Outcome


class Phase(StrEnum):
    """Where a batch is at its provider."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    PARTLY = "partly"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether no further line will be drawn. PAUSED is not: Google may go on."""
        return self not in {Phase.WAITING, Phase.RUNNING, Phase.PAUSED}


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as its provider tells of it. Counts are of lines; None where nothing is said."""

    name: str
    display_name: str
    phase: Phase
    said: str
    created_at: datetime | None = None
    succeeded: int | None = None
    failed: int | None = None
    message: str | None = None
    results: Sequence[str] = ()
    """Where its results lie: a folder in a bucket, or a file's name; empty until it is over."""
    inlined: Sequence[msgspec.Raw] = ()
    """Results that came within the answer itself."""


class Input(msgspec.Struct, frozen=True):
    """The lines of a batch: where they lie at the provider, and the file that they came from."""

    uri: str
    file: Path


class Kept(msgspec.Struct, frozen=True):
    """What a batch that is over left at its provider."""

    id: str
    input_uri: str | None
    results: Sequence[str]


class Result(msgspec.Struct, frozen=True):
    """A line of the results. `attempt_id` and `asked` are what it says of itself, unproven."""

    attempt_id: str | None
    asked: bytes | None
    """Fingerprint of the request that it echoes; None where it echoes none."""
    outcome: Outcome


class NotDone(Exception):
    """A call is known to have had no effect; `outcome` says why, and when to try again."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message or outcome.ended.value)
        self.outcome = outcome


class Doubt(Exception):
    """A call may have had its effect: the answer never came."""


class Unreadable(Exception):
    """A line of the results that is not what Google writes."""


class BatchBackend(Protocol):
    """Code that speaks one batch API. Calls raise NotDone or Doubt."""

    def line(self, attempt_id: str, request: Request) -> bytes:
        """Spell one line of the input, with the attempt's id in it; ends in a newline."""
        ...

    def fingerprint(self, request: Request) -> bytes:
        """What the echo of this request must come to."""
        ...

    def place_references(self, requests: Iterable[Request]) -> None:
        """Put reference images to where lines point, each content once."""
        ...

    def upload(self, batch_id: str, file: Path) -> str:
        """Store the input, once for a batch however often it is called; where it lies."""
        ...

    def create(self, batch_id: str, model: str, source: Input) -> Remote:
        """Ask for the batch: exactly one request leaves. Lines stay as they are at the provider."""
        ...

    def find(self, batch_id: str) -> list[Remote]:
        """Every batch at the provider that carries this name, the oldest first."""
        ...

    def look(self, name: str) -> Remote | None:
        """How a batch stands; None when the provider does not know it any more."""
        ...

    def cancel(self, name: str) -> None:
        """Ask the provider to stop; what is finished stays. One that is over is left alone."""
        ...

    def results(self, remote: Remote) -> Iterator[bytes]:
        """Stream the lines of the results; a broken download goes on where it broke."""
        ...

    def read(self, line: bytes) -> Result:
        """Read one line of the results. Raises Unreadable."""
        ...

    def tidy(self, batch: Kept) -> None:
        """Delete what lies at the provider and is not needed any more."""
        ...

    def listing(self) -> Iterator[Remote]:
        """Every batch of the account, strangers too."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
