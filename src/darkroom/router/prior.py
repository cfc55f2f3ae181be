"""How long tiers take that we have no figures of our own for."""

from __future__ import annotations

from typing import Final

from darkroom.registry import Level
from darkroom.registry.model import LEVELS
from darkroom.router.outlook import Turnaround
from darkroom_manifests.tier import Tier

_HOUR: Final = 3_600.0

# On demand: users' and relays' figures for 1K and 4K, Oct 2026; flex may take up to 30 minutes
# (Google, Flex PayGo, 2026-09). Batch: a target of 24 hours (Google, Gemini API, Batch, 2026-10).
_SIMULATED: Final = {False: Turnaround(1.0, 2.0), True: Turnaround(5.0, 30.0)}
_LEVELS: Final = {
    Level.BATCH: Turnaround(2 * _HOUR, 24 * _HOUR),
    Level.FLEX: Turnaround(120.0, 900.0),
}
_LARGE: Final = Turnaround(60.0, 180.0)
_OTHER: Final = Turnaround(15.0, 45.0)


def prior(tier: Tier, image_size: str | None) -> Turnaround:
    """What to expect of a tier; None: the model's default size."""
    if tier.is_simulated:
        return _SIMULATED[tier.is_batch]
    on_demand = _LARGE if image_size == "4K" else _OTHER
    return _LEVELS.get(LEVELS[tier], on_demand)
