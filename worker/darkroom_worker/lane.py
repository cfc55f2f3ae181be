"""What one process knows about the pace of one tier between two bookings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from darkroom.jobs.claim import Claim
from darkroom.settings import Limits
from darkroom_worker.limits import gap_of
from darkroom_worker.slots import HORIZON, Want

ALL: Final = "*"
STORM_SECONDS: Final = 5.0  # in which everything in flight has the same answer
_LONGEST_LEAD: Final = 0.5
_LEAD_KEPT: Final = 0.9  # of a slow claim's lead, from one booking to the next
_NEWER: Final = 0.2  # how much the newest claims count in a mean
_TOKENS: Final = 300.0  # of a request, before any was seen: a short prompt's would be 50
_EACH_NUSD: Final = 50_000_000  # of a request, before any was seen


class Lane:
    """The means of what was claimed, and what is still to be told to the limiter."""

    def __init__(self) -> None:
        self.not_before = 0.0
        self.was_away = False
        self._shy_until = 0.0
        self._said: dict[str, tuple[float, float]] = {}
        self._resting: dict[str, float] = {}
        self._lead = 0.0
        self._tokens = _TOKENS
        self._each_nusd = float(_EACH_NUSD)
        self._shift = 0.0
        self._correction_nusd = 0

    @property
    def owes(self) -> bool:
        """Whether money was booked otherwise than it was spent."""
        return self._correction_nusd != 0

    def want(self, limits: Limits, most: int, flying: int) -> Want:
        """Make what to ask of the limiter.

        A server that comes back may have forgotten its last second: for a while nothing is booked
        that could lie among what it forgot.
        """
        gap, now = gap_of(limits, self._tokens), time.monotonic()
        if self.was_away:
            self._shy_until = now + HORIZON + gap
        return Want(
            most=most,
            flying=flying,
            lead=max(self._lead, self._shy_until - now),
            gap=gap,
            shift=self._shift,
            each_nusd=round(self._each_nusd) if limits.spend_per_window is not None else 0,
            correction_nusd=self._correction_nusd if limits.spend_per_window is not None else 0,
        )

    def told(self, want: Want) -> None:
        """The limiter has heard a want."""
        self.was_away = False
        self._shift -= want.shift
        self._correction_nusd -= want.correction_nusd

    def took(self, seconds: float) -> None:
        """Hear how long it took from a booking to its claims: slots sooner than that come late."""
        self._lead = min(_LONGEST_LEAD, max(seconds, self._lead * _LEAD_KEPT))

    def weigh(
        self, limits: Limits, want: Want, claims: Sequence[Claim], tokens: Sequence[int]
    ) -> None:
        """Correct what was booked for requests of the usual size by those that were claimed."""
        if not claims:
            return
        reserved = sum(one.reserved_nusd for one in claims)
        mean_tokens, mean_nusd = sum(tokens) / len(claims), reserved / len(claims)
        self._shift += max(0.0, gap_of(limits, mean_tokens) - want.gap) * len(claims)
        if limits.spend_per_window is not None:
            self._correction_nusd += reserved - want.each_nusd * len(claims)
        self._tokens += _NEWER * (mean_tokens - self._tokens)
        self._each_nusd += _NEWER * (mean_nusd - self._each_nusd)

    def spent(self, limits: Limits, reserved_nusd: int, charged_nusd: int) -> None:
        """Hear what a request cost in the end."""
        if limits.spend_per_window is not None:
            self._correction_nusd += charged_nusd - reserved_nusd

    def unsent(self, limits: Limits, reserved_nusd: int) -> None:
        """Hear that a request went back whose slot, and the mean that it cost, is back already."""
        self.spent(limits, reserved_nusd, round(self._each_nusd))

    def rest(self, model: str, seconds: float) -> bool:
        """Stop what is booked of a model, or of "*": all. False: as much was said just now.

        It is remembered here for a moment only: from then on Redis or the database holds it, where
        a person can end it.
        """
        now = time.monotonic()
        at, until = self._said.get(model, (-STORM_SECONDS, 0.0))
        is_news = now - at > STORM_SECONDS or now + seconds > until + 1.0
        if is_news:
            self._said[model] = (now, now + seconds)
            stops = now + min(seconds, STORM_SECONDS)
            self._resting[model] = max(stops, self._resting.get(model, 0.0))
        return is_news

    def is_resting(self, model: str) -> bool:
        """Whether an answer of a moment ago said that nothing more may be sent."""
        resting = self.resting_models()
        return ALL in resting or model in resting

    def resting_models(self) -> frozenset[str]:
        """The models of which nothing is sent now."""
        now = time.monotonic()
        self._resting = {model: until for model, until in self._resting.items() if until > now}
        return frozenset(self._resting)
