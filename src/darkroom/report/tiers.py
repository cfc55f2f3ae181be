"""What each tier may do, does and waits for: its limits, the books and the gauges side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from darkroom.gauges import Gauges, Learned
from darkroom.jobs import rests
from darkroom.jobs.rests import EVERY_TIER
from darkroom.models import Rest
from darkroom.report.past import past
from darkroom.settings import Limits, Settings
from darkroom_manifests.tier import Tier


class TierState(msgspec.Struct, frozen=True, kw_only=True):
    """One tier. `learned` is None where Redis does not answer; money is nano-dollars.

    `minute`, `today` (a Pacific day), `in_flight` and `spent_nusd` are the fleet's, by the books.
    `rests` are the tier's own and the kill switch.
    """

    tier: Tier
    has_credential: bool
    limits: Limits
    minute: int
    today: int
    in_flight: int
    spent_nusd: int
    learned: Mapping[str, Learned] | None
    rests: tuple[Rest, ...]


def tier_states(
    connection: Connection, settings: Settings, seen: Mapping[Tier, Gauges] | None
) -> list[TierState]:
    """Read every tier; `seen` is what Redis shows, None if it does not answer."""
    current = rests.current(connection)
    return [_state(connection, settings, tier, seen, current) for tier in Tier]


def _state(
    connection: Connection,
    settings: Settings,
    tier: Tier,
    seen: Mapping[Tier, Gauges] | None,
    current: Sequence[Rest],
) -> TierState:
    limits = settings.limits(tier)
    lately = past(connection, tier, limits.spend_window_seconds)
    return TierState(
        tier=tier,
        has_credential=settings.has_credential(tier),
        limits=limits,
        minute=lately.minute,
        today=lately.today,
        in_flight=lately.in_flight,
        spent_nusd=lately.spent_nusd,
        learned=None if seen is None else seen[tier].learned,
        rests=tuple(rest for rest in current if rest.tier in (tier, EVERY_TIER)),
    )
