"""Price lists by what they price and when; the surcharges that come on top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import msgspec

from darkroom.registry.catalog import PriceEntry, Surcharge
from darkroom.registry.model import Level
from darkroom.registry.price import Price
from darkroom_manifests.tier import Provider

Key = tuple[str, Provider, Level]


@dataclass(frozen=True, slots=True)
class Dated:
    """A price list and the days it counts."""

    entry: PriceEntry
    price: Price


class PriceBook:
    """Finds the one price list that counts."""

    __slots__ = ("_lists", "_surcharges")

    def __init__(
        self,
        entries: Iterable[PriceEntry],
        surcharges: Iterable[Surcharge],
        own: Iterable[PriceEntry] = (),
    ) -> None:
        """Sort the lists; `own` ones replace all others of their model, provider and level."""
        by_day: dict[Key, dict[date, Dated]] = {}
        for entry in entries:
            dated = Dated(entry, entry.price())
            for provider in entry.providers:
                # Of two lists from one day the later entry, a user's, replaces the earlier one.
                days = by_day.setdefault((entry.model, provider, entry.level), {})
                days[entry.valid_from] = dated
        self._lists = {
            key: [days[day] for day in sorted(days, reverse=True)] for key, days in by_day.items()
        }
        for entry in own:
            dated = Dated(entry, entry.price())
            for provider in entry.providers:
                self._lists[(entry.model, provider, entry.level)] = [dated]
        self._surcharges = sorted(surcharges, key=lambda surcharge: surcharge.valid_from)

    def find(
        self, model: str, provider: Provider, level: Level, on: date, location: str
    ) -> Price | None:
        """The newest list that counts on that day, with the surcharge of the location."""
        for dated in self._lists.get((model, provider, level), ()):
            if dated.entry.valid(on):
                percent = self._percent(provider, on, location)
                if percent:
                    return msgspec.structs.replace(dated.price, surcharge_percent=percent)
                return dated.price
        return None

    def _percent(self, provider: Provider, on: date, location: str) -> int:
        """The newest surcharge of that day; an equally old one of the user's replaces ours."""
        percent = 0
        for surcharge in self._surcharges:
            if surcharge.provider is provider and surcharge.valid_from <= on:
                percent = 0 if location == surcharge.outside else surcharge.percent
        return percent
