"""A wish and its surroundings: who else could grant it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from darkroom.registry.ask import Ask
from darkroom.registry.model import Level, Model
from darkroom.registry.price import Price
from darkroom_manifests.tier import Tier

Models = Mapping[str, Model]


@dataclass(frozen=True, slots=True)
class Wish:
    """One ask, laid before one model on one tier, at one level, on one day."""

    models: Models
    model: Model
    ask: Ask
    tier: Tier
    level: Level
    on: date
    location: str | None
    price: Callable[[str, Tier], Price | None]
    """What a model costs on a tier, at its own level, on that day."""
    allows_retired: bool

    @property
    def who(self) -> str:
        """The model and the tier, as messages name them."""
        return f"{self.model.id} on {self.tier}"
