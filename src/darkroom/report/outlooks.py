"""What the router goes by, read at one moment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, select

from darkroom import db
from darkroom.gauges import Gauges
from darkroom.jobs import rests
from darkroom.models import Attempt, AttemptState, Job, Render, RenderState, Worker
from darkroom.report.past import sent_today
from darkroom.report.turnarounds import turnarounds
from darkroom.router import Outlook, Prospect
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_UNTIL_SOMEBODY_ACTS: Final = float("inf")


def outlook(
    connection: Connection, settings: Settings, seen: Mapping[Tier, Gauges] | None
) -> Outlook:
    """Read every tier; `seen` is what Redis shows of learned rates, None if it does not answer."""
    took, waiting = dict(turnarounds(connection)), _waiting(connection)
    hands, resting = _workers(connection), _rests(connection)
    tiers = {
        tier: Prospect(
            turnaround=took.get(tier),
            waiting=waiting[tier],
            today=_today(connection, settings, tier),
            workers=hands[tier],
            learned={} if seen is None or tier not in seen else _rates(seen[tier]),
            rests=resting[tier],
        )
        for tier in Tier
    }
    return Outlook(datetime.now(UTC), tiers)


def _waiting(connection: Connection) -> Counter[str]:
    """Renders of each tier that are pending in jobs that go on, or in flight."""
    pending = (
        select(Render.tier, func.count())
        .join(Job, Job.id == Render.job_id)
        .where(Job.pending > 0, Job.paused.is_(False), Job.loaded_at.is_not(None))
        .where(Render.state == RenderState.PENDING)
        .group_by(Render.tier)
    )
    flying = (
        select(Attempt.tier, func.count())
        .where(Attempt.state == AttemptState.SENT)
        .group_by(Attempt.tier)
    )
    found: Counter[str] = Counter()
    for query in (pending, flying):
        for tier, how_many in connection.execute(query):
            found[tier] += how_many
    return found


def _today(connection: Connection, settings: Settings, tier: Tier) -> int:
    """Requests of this Pacific day, where a limit makes them matter."""
    if settings.limits(tier).requests_per_day is None:
        return 0
    return sent_today(connection, tier)


def _workers(connection: Connection) -> Counter[str]:
    query = select(Worker.tiers).where(
        Worker.ended_at.is_(None),
        Worker.draining_at.is_(None),
        Worker.lease_until > db.now(connection),
    )
    return Counter(tier for tiers in connection.scalars(query) for tier in tiers.split(","))


def _rests(connection: Connection) -> defaultdict[str, dict[str, float]]:
    """Of each tier the models that rest, "*" for all, and for how many seconds."""
    now = db.now(connection)
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for rest in rests.current(connection):
        until = rest.until
        seconds = _UNTIL_SOMEBODY_ACTS if until is None else (until - now).total_seconds()
        found[rest.tier][rest.model] = max(0.0, seconds)
    return found


def _rates(gauges: Gauges) -> dict[str, float]:
    return {model: learned.rate for model, learned in gauges.learned.items()}
