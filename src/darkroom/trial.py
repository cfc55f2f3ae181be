"""The images of a manifest placed anew, without reading it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from darkroom.registry import Load
from darkroom.router import Bid, Kind, Placement, Router
from darkroom.share import Part
from darkroom_manifests.tier import Tier

_ROUNDS: Final = 64
"""In which all images are placed, a part of each kind in each: as if the rows were well mixed."""


class Lot(msgspec.Struct, frozen=True):
    """The images of one kind, and who would make them."""

    kind: Kind
    bids: tuple[Bid, ...]
    load: Load
    images: Counter[Tier] = msgspec.field(default_factory=Counter)
    last: dict[Tier, Placement] = {}

    def of_round(self, number: int) -> int:
        """How many images are placed in that round."""
        whole = self.load.images
        return whole * (number + 1) // _ROUNDS - whole * number // _ROUNDS

    def parts(self) -> Iterator[Part]:
        """What came of it, tier by tier."""
        for tier, last in self.last.items():
            load = self.load.part(self.images[tier])
            yield Part(self.kind, tier, last.bid.tariff, load, last.finish)


def place(router: Router, lots: Sequence[Lot], deadline: float) -> list[Part]:
    """Place all images, as their rows would be one after the other."""
    for number in range(_ROUNDS):
        for lot in lots:
            images = lot.of_round(number)
            if images:
                placement = router.place(lot.bids, images, deadline)
                lot.images[placement.bid.tier] += images
                lot.last[placement.bid.tier] = placement
    return [part for lot in lots for part in lot.parts()]
