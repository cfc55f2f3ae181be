"""Takes work out of batches that would miss a deadline, and leaves it to the tier on demand.

A batch is cancelled first, and what it finished is kept; only what it did not draw moves. So no
picture is ever asked for twice at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, Engine, select

from darkroom import db
from darkroom.jobs import reroute
from darkroom.jobs.claim import Bound
from darkroom.models import Batch, Job
from darkroom.registry import Registry
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.batch import Phase, Remote

_log = structlog.get_logger(__name__)

_ON_DEMAND_SECONDS: Final = 120.0  # in which nearly every answer on demand comes, at any size
_RATE_UNKNOWN: Final = 10.0  # requests a minute, where nothing is known of a tier's rate
LATE: Final = "it would miss its deadline"


class _Need(msgspec.Struct, frozen=True):
    """When a job is to be delivered, and when work on demand must begin for that."""

    deliver_by: datetime
    start_by: datetime


class Hedge:
    """Decides by the clock of the database."""

    def __init__(self, settings: Settings, database: Engine, registry: Registry) -> None:
        self._settings = settings
        self._own = settings.batches
        self._database = database
        self._registry = registry

    def overdue(self, batch: Batch) -> str | None:
        """Why a batch that is not asked for yet must be given up; None while it may wait."""
        with db.reading(self._database) as connection:
            need, now = self._need(connection, batch.job_id, Tier(batch.tier)), db.now(connection)
        return LATE if need is not None and now >= need.start_by else None

    def reason(self, batch: Batch, remote: Remote) -> str | None:
        """Why a batch must be given up for its deadline; None while it may go on."""
        with db.reading(self._database) as connection:
            need, now = self._need(connection, batch.job_id, Tier(batch.tier)), db.now(connection)
        if need is None:
            return None
        if now >= need.start_by:
            return LATE
        waited = (now - (batch.submitted_at or batch.created_at)).total_seconds()
        if remote.phase is Phase.WAITING and waited > self._own.longest_wait:
            return f"it has waited {waited:,.0f} s, longer than batches do, and {LATE}"
        return None

    def look_within(self, batch: Batch, pause: float) -> float:
        """Cut a pause short where the deadline must be thought of before it is over."""
        with db.reading(self._database) as connection:
            need, now = self._need(connection, batch.job_id, Tier(batch.tier)), db.now(connection)
        if need is None or batch.cancelled_at is not None:
            return pause
        return min(pause, max(0.0, (need.start_by - now).total_seconds()))

    def overtook(self, tier: Tier, bound: Bound) -> bool:
        """Move what is pending at once, if no batch can bring it in time any more."""
        with db.reading(self._database) as connection:
            need, now = self._need(connection, bound.job_id, tier), db.now(connection)
        if need is None or now < need.start_by:
            return False
        return self._move(bound.job_id, tier) > 0

    def move(self, batch: Batch) -> None:
        """Move what a cancelled batch left undone, if it was cancelled for its deadline."""
        if batch.cancel_reason is not None and batch.cancel_reason.endswith(LATE):
            self._move(batch.job_id, Tier(batch.tier))

    def _move(self, job_id: str, tier: Tier) -> int:
        instead = tier.on_demand

        def move(connection: Connection) -> int:
            return reroute.move(connection, job_id, tier, instead, self._registry, self._settings)

        moved = db.transact(self._database, move)
        _log.warning("renders go on demand", job=job_id, tier=tier, to=instead, renders=moved)
        return moved

    def _need(self, connection: Connection, job_id: str, tier: Tier) -> _Need | None:
        job = connection.execute(
            select(Job.deliver_by, Job.pending, Job.submitted).where(Job.id == job_id)
        ).one()
        if job.deliver_by is None:
            return None
        limits = self._settings.limits(tier.on_demand)
        known = (limits.requests_per_minute, limits.images_per_minute)
        rates = [rate for rate in known if rate is not None]
        if limits.adaptive or tier.is_simulated:
            rates.append(limits.concurrency * 60 / _ON_DEMAND_SECONDS)
        minutes = (job.pending + job.submitted) / min(rates, default=_RATE_UNKNOWN)
        seconds = minutes * 60 + _ON_DEMAND_SECONDS + self._own.margin_seconds
        return _Need(job.deliver_by, job.deliver_by - timedelta(seconds=seconds))
