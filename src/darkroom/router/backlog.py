"""What one tier has to do already, and when more of it would be done."""

from __future__ import annotations

from typing import Final

from darkroom import pacific
from darkroom.router.bid import Bid
from darkroom.router.outlook import Outlook
from darkroom.settings import Limits
from darkroom_manifests.tier import Tier

_DAY: Final = 86_400.0


class Backlog:
    """Grows as images are placed. Times are seconds from the outlook on.

    What waited before is taken to be of the kind that is asked about: nobody knows better.
    """

    def __init__(self, tier: Tier, limits: Limits, outlook: Outlook) -> None:
        prospect = outlook.of(tier)
        self._waiting = prospect.waiting
        self._placed = 0
        self._seconds = 0.0
        self._per_day = limits.requests_per_day
        self._left_today = 0 if self._per_day is None else self._per_day - prospect.today
        self._midnight = (pacific.day_of(outlook.at).ends - outlook.at).total_seconds()

    def finish(self, bid: Bid, images: int) -> float:
        """When the last of so many more images is expected."""
        ahead = self._waiting + images - 1
        starts = self._seconds + ahead * bid.spacing
        if self._per_day is not None:
            starts = max(starts, self._day(bid, self._placed + ahead, self._per_day))
        return starts + bid.wait

    def _day(self, bid: Bid, before: int, per_day: int) -> float:
        """When the quota of a day lets an image start that has so many before it."""
        over = before - max(0, self._left_today)
        if over < 0:
            return 0.0
        days, of_that_day = divmod(over, per_day)
        return self._midnight + days * _DAY + of_that_day * bid.spacing

    def add(self, bid: Bid, images: int) -> None:
        """Place images here."""
        self._placed += images
        self._seconds += images * bid.spacing
