"""Places renders one after the other: the cheapest tier that is in time, and each fills up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from darkroom.router.backlog import Backlog
from darkroom.router.bid import Bid
from darkroom.router.outlook import Outlook
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

SOME_DAY: Final = 1e12
"""Seconds to a deadline that is none; a tier that rests until a person acts does not keep it."""
AT_ONCE: Final = -math.inf
"""A deadline that nobody keeps: the fastest is chosen."""


class Placement(msgspec.Struct, frozen=True, gc=False):
    """Where images go, and the seconds from the outlook on until the last is expected."""

    bid: Bid
    finish: float


class Router:
    """Places the rows of one manifest, in their order. The same outlook gives the same tiers."""

    def __init__(self, settings: Settings, outlook: Outlook) -> None:
        self._settings = settings
        self._outlook = outlook
        self._backlogs: dict[Tier, Backlog] = {}

    def place(self, bids: Sequence[Bid], images: int, deadline: float = SOME_DAY) -> Placement:
        """Choose among bids, the cheapest first, and remember it.

        Of equally cheap tiers the one that is done first is chosen; where none keeps the deadline,
        the fastest of all.
        """
        chosen = self._cheapest(bids, images, deadline) or self._fastest(bids, images)
        self._backlog(chosen.bid.tier).add(chosen.bid, images)
        return chosen

    def _cheapest(self, bids: Sequence[Bid], images: int, deadline: float) -> Placement | None:
        found: Placement | None = None
        for bid in bids:
            if found is not None and bid.likely_nusd > found.bid.likely_nusd:
                break
            finish = self._backlog(bid.tier).finish(bid, images)
            if finish <= deadline and (found is None or finish < found.finish):
                found = Placement(bid, finish)
        return found

    def _fastest(self, bids: Sequence[Bid], images: int) -> Placement:
        return min(
            (Placement(bid, self._backlog(bid.tier).finish(bid, images)) for bid in bids),
            key=lambda placement: placement.finish,
        )

    def _backlog(self, tier: Tier) -> Backlog:
        known = self._backlogs.get(tier)
        if known is None:
            known = Backlog(tier, self._settings.limits(tier), self._outlook)
            self._backlogs[tier] = known
        return known
