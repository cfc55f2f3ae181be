"""A plan's work added up: by kind and tier, then by tier and model, and by what is new."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from darkroom.registry import Load, Tariff
from darkroom.router import Kind
from darkroom_manifests.tier import Tier


class Change(StrEnum):
    """Why a picture is to be made."""

    NEW = "new"
    """Nobody asked for it: its row is new, or rows are not known by their ids."""
    CHANGED = "changed"
    """Its row of the catalog asked for another one."""
    AGAIN = "again"
    """Its row of the catalog asked for it before, and it is not there."""
    REJECTED = "rejected"
    """It was made, and a person threw it out; also where there is no catalog."""


class Part(msgspec.Struct):
    """Images of one kind on one tier. `finish_seconds`: when the last of them is expected."""

    kind: Kind
    tier: Tier
    tariff: Tariff | None
    load: Load
    finish_seconds: float = 0.0
    change: Change = Change.NEW


class Sum(msgspec.Struct, kw_only=True):
    """Renders, and their cost in nano-dollars.

    `finish_seconds` is when the last of them is expected, from the plan on.
    """

    renders: int = 0
    low_nusd: int = 0
    likely_nusd: int = 0
    high_nusd: int = 0
    unpriced: int = 0
    finish_seconds: float = 0.0

    def add(self, part: Part) -> None:
        """Count images in."""
        self.renders += part.load.images
        self.finish_seconds = max(self.finish_seconds, part.finish_seconds)
        if part.tariff is None:
            self.unpriced += part.load.images
            return
        cost = part.tariff.of(part.load)
        self.low_nusd += cost.low
        self.likely_nusd += cost.likely
        self.high_nusd += cost.high


class Share(Sum, kw_only=True):
    """One tier and model of a plan."""

    tier: str
    model: str


class Delta(Sum, kw_only=True):
    """What of a plan is made for one reason."""

    change: Change


def shares_of(parts: Iterable[Part]) -> list[Share]:
    """Add parts up by tier and model."""
    shares: dict[tuple[str, str], Share] = {}
    for part in parts:
        tier, model = key = (part.tier.value, part.kind.ask.model)
        shares.setdefault(key, Share(tier=tier, model=model)).add(part)
    return [shares[key] for key in sorted(shares)]


def deltas_of(parts: Iterable[Part]) -> list[Delta]:
    """Add parts up by why they are made."""
    deltas: dict[Change, Delta] = {}
    for part in parts:
        deltas.setdefault(part.change, Delta(change=part.change)).add(part)
    return [deltas[change] for change in Change if change in deltas]
