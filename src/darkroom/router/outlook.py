"""What is known of the tiers at one moment: how long they take, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from darkroom_manifests.tier import Tier

EVERY_MODEL: Final = "*"


class Turnaround(msgspec.Struct, frozen=True):
    """Seconds from sending a request to having its image: the median, and what nine of ten need."""

    p50: float
    p90: float


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """One tier. `turnaround` None: too little was sent lately to tell.

    `waiting` renders are pending or in flight, `today` requests count for this Pacific day.
    `learned` has requests a minute by model, `rests` the seconds that a model, or with "*" every
    model, sends nothing: infinity until a person acts.
    """

    turnaround: Turnaround | None = None
    waiting: int = 0
    today: int = 0
    workers: int = 1
    learned: Mapping[str, float] = {}
    rests: Mapping[str, float] = {}

    def rest(self, model: str) -> float:
        """Seconds until a model may be sent."""
        return max(self.rests.get(EVERY_MODEL, 0.0), self.rests.get(model, 0.0))


class Outlook(msgspec.Struct, frozen=True):
    """A snapshot: whoever routes by the same one comes to the same tiers."""

    at: datetime
    tiers: Mapping[Tier, Prospect] = {}

    def of(self, tier: Tier) -> Prospect:
        """What is known of a tier, if it is only that nothing is."""
        return self.tiers.get(tier, _UNKNOWN)


_UNKNOWN: Final = Prospect()
