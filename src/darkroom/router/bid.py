"""A tier's bid for images of one kind."""

from __future__ import annotations

import sys
from typing import Final

import msgspec

from darkroom.registry import Refusal, Tariff
from darkroom_manifests.tier import Tier

UNKNOWN_NUSD: Final = sys.maxsize
"""A price that nobody knows: dearer than any other."""


class Bid(msgspec.Struct, frozen=True, kw_only=True):
    """What a tier would take for an image, in nano-dollars, and when it would be there.

    `spacing` is the seconds from one image to the next, `wait` those that nine of ten take from
    being sent to being here, rests of the tier included, and the images that must be there before
    it counted as if they took as long. `tariff` None: the price is unknown.
    """

    tier: Tier
    tariff: Tariff | None
    likely_nusd: int
    spacing: float
    wait: float


class Bids(msgspec.Struct, frozen=True):
    """The bids for a kind, the cheapest first; without any, why the nearest tier made none."""

    bids: tuple[Bid, ...]
    refusals: tuple[Refusal, ...] = ()
