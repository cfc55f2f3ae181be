"""A plan's work added up: by kind and tier, then by tier and model."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from darkroom.registry import Load, Tariff
from darkroom.router import Kind
from darkroom_manifests.tier import Tier


class Part(msgspec.Struct):
    """Images of one kind on one tier. `finish_seconds`: when the last of them is expected."""

    kind: Kind
    tier: Tier
    tariff: Tariff | None
    load: Load
    finish_seconds: float = 0.0


class Share(msgspec.Struct):
    """One tier and model of a plan: renders, and their cost in nano-dollars.

    `finish_seconds` is when the last of them is expected, from the plan on.
    """

    tier: str
    model: str
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


def shares_of(parts: Iterable[Part]) -> list[Share]:
    """Add parts up by tier and model."""
    shares: dict[tuple[str, str], Share] = {}
    for part in parts:
        key = (part.tier.value, part.kind.ask.model)
        shares.setdefault(key, Share(*key)).add(part)
    return [shares[key] for key in sorted(shares)]
