"""What the engine tells those who watch: what was sent, what came back, what the books hold.

Watchers are told in the thread where it happened: `sent`, `answered` and `waited` on the event
loop, `settled` in the SQL thread, for many attempts at once. One that fails is left out and named
in the log: whoever watches must not stop a render.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing
from darkroom.jobs.steps import Step
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)


Fields = dict[str, str | int | None]


def ids(claim: Claim) -> Fields:
    """What every line about an answer names."""
    return {
        "job": claim.job_id,
        "render": claim.render_id,
        "attempt": claim.attempt_id,
        "tier": claim.tier,
        "model": claim.model,
    }


@dataclass(slots=True)
class Flight:
    """One request on its way; in nanoseconds since 1970, by this machine's clock."""

    claim: Claim
    began_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Ended:
    """One attempt that the books hold. `step` is None when it was closed before: a late answer."""

    flight: Flight
    closing: Closing
    step: Step | None


class Watcher(Protocol):
    """Somebody who is told. Slow work belongs elsewhere: the books wait meanwhile."""

    def sent(self, claim: Claim) -> None:
        """A request leaves."""
        ...

    def answered(self, flight: Flight) -> None:
        """Its answer is on this machine's disk, or will never come."""
        ...

    def waited(self, tier: Tier, seconds: float) -> None:
        """A tier's work waits so long for the next free slot."""
        ...

    def settled(self, ended: Sequence[Ended], seconds: float) -> None:
        """One transaction closed these attempts, and took so long."""
        ...

    def close(self) -> None:
        """The process ends."""
        ...


class Telemetry:
    """Knows what is in flight and tells every watcher."""

    def __init__(self) -> None:
        self._watchers: tuple[Watcher, ...] = ()
        self._flights: dict[str, Flight] = {}
        self.in_flight: Counter[Tier] = Counter()
        self.names_taken = 0

    def add(self, watcher: Watcher) -> None:
        """Tell one more, from now on."""
        self._watchers += (watcher,)

    @property
    def unsettled(self) -> int:
        """How many answers wait in the spool to be booked."""
        return max(0, len(self._flights) - sum(self.in_flight.values()))

    def sent(self, claim: Claim) -> None:
        """Note that a request leaves."""
        now = time.time_ns()
        self._flights[claim.attempt_id] = Flight(claim, now, now)
        self.in_flight[claim.tier] += 1
        self._tell(lambda watcher: watcher.sent(claim))

    def answered(self, claim: Claim) -> None:
        """Note that a request came home, however it ended; one that never left is passed over."""
        flight = self._flights.get(claim.attempt_id)
        if flight is None:
            return
        self.in_flight[claim.tier] -= 1
        flight.ended_ns = time.time_ns()
        self._tell(lambda watcher: watcher.answered(flight))

    def waited(self, tier: Tier, seconds: float) -> None:
        """Note that no slot was free."""
        self._tell(lambda watcher: watcher.waited(tier, seconds))

    def settled(
        self, closings: Sequence[Closing], steps: Mapping[str, Step], seconds: float
    ) -> None:
        """Note what the books now hold."""
        ended = [
            Ended(flight, closing, steps.get(closing.attempt_id))
            for closing in closings
            if (flight := self._flights.pop(closing.attempt_id, None)) is not None
        ]
        self._tell(lambda watcher: watcher.settled(ended, seconds))

    def name_taken(self) -> None:
        """Note that an image's name in a bucket was another object's."""
        self.names_taken += 1

    def close(self) -> None:
        """Let the watchers finish."""
        self._tell(lambda watcher: watcher.close())

    def _tell(self, call: Callable[[Watcher], Any]) -> None:
        for watcher in self._watchers:
            try:
                call(watcher)
            except Exception as error:  # noqa: BLE001  # see the head of this file
                self._watchers = tuple(w for w in self._watchers if w is not watcher)
                name = type(watcher).__name__
                _log.error("a watcher failed and is left out", watcher=name, exc_info=error)
