"""Moves work away from a tier that will send nothing for long, along a chain of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, select

from darkroom import db
from darkroom.jobs import reroute, rests
from darkroom.models import Job, Render, RenderState, Rest
from darkroom.registry import Registry
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_BY_PURPOSE = (rests.PAUSED, rests.DAY_SPENT)
"""Rests that somebody wants: their work waits."""


class Moved(msgspec.Struct, frozen=True):
    """Renders of a job that go on elsewhere, and why."""

    job_id: str
    tier: Tier
    instead: Tier
    renders: int
    reason: str


class Fallback:
    """Knows the chain of the settings. What is in flight, or in a batch, comes home first."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._routing = settings.router
        self._registry = registry

    def look(self, connection: Connection) -> list[Moved]:
        """Move what is pending on tiers, or models and sizes on them, that rest for long."""
        if not self._routing.fallback:
            return []
        now = db.now(connection)
        resting = [rest for rest in rests.current(connection) if self._is_long(rest, now)]
        return [moved for rest in resting for moved in self._moved(connection, rest, resting)]

    def _is_long(self, rest: Rest, now: datetime) -> bool:
        if rest.tier == rests.EVERY_TIER or rest.reason in _BY_PURPOSE:
            return False
        until = rest.until
        return until is None or (until - now).total_seconds() > self._routing.fallback_after

    def _moved(
        self, connection: Connection, rest: Rest, resting: Sequence[Rest]
    ) -> Iterator[Moved]:
        tier = Tier(rest.tier)
        for job_id in _jobs(connection, rest):
            for instead in self._others(tier, resting):
                renders = reroute.move(
                    connection,
                    job_id,
                    tier,
                    instead,
                    self._registry,
                    self._settings,
                    which=and_(rests.concerns(rest.model), _answered(instead, resting)),
                    most_times=self._routing.fallback_most_times,
                )
                if renders:
                    yield Moved(job_id, tier, instead, renders, rest.reason)

    def _others(self, tier: Tier, resting: Sequence[Rest]) -> list[Tier]:
        """Those further down the chain: nothing ever comes back up, so nothing goes in circles."""
        chain = self._routing.fallback
        later = chain[chain.index(tier) + 1 :] if tier in chain else chain
        out = {rest.tier for rest in resting if rest.model == rests.WHOLE_TIER}
        return [
            each
            for each in later
            if each not in out
            and each.is_simulated is tier.is_simulated
            and self._settings.is_ready(each)
        ]


def _answered(instead: Tier, resting: Sequence[Rest]) -> ColumnElement[bool]:
    """The condition that neither the model nor the size of a render rests there, too."""
    return rests.awake([rest.model for rest in resting if rest.tier == instead])


def _jobs(connection: Connection, rest: Rest) -> Sequence[str]:
    """The jobs that go on and have renders pending that a rest concerns."""
    query = (
        select(Job.id)
        .join(Render, Render.job_id == Job.id)
        .where(Job.pending > 0, Job.paused.is_(False), Job.cancelled_at.is_(None))
        .where(Job.loaded_at.is_not(None))
        .where(Render.tier == rest.tier, Render.state == RenderState.PENDING)
        .where(rests.concerns(rest.model))
        .distinct()
        .order_by(Job.id)
    )
    return connection.scalars(query).all()
