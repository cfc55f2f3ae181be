"""Whose turn it is: the jobs that have due work, and the tiers that have any."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from darkroom import db
from darkroom.jobs import rests
from darkroom.models import Job, Render, RenderState, Rest
from darkroom_manifests.tier import Tier

_JOBS_AT_MOST: Final = 50  # whose turn comes in one claim


class Turn(msgspec.Struct, frozen=True):
    """A job that has due work. Those of the same priority and deadline are equals."""

    job_id: str
    priority: int
    deliver_by: datetime | None
    pending: int

    @property
    def standing(self) -> tuple[int, datetime | None]:
        """What puts it before others."""
        return self.priority, self.deliver_by


def turns(
    connection: Connection,
    tier: Tier,
    now: datetime,
    resting: Collection[str],
    job_id: str | None = None,
) -> list[Turn]:
    """The jobs that have due work: by priority, then deadline, then who was served longest ago."""
    chosen = () if job_id is None else (Job.id == job_id,)
    query = (
        select(Job.id, Job.priority, Job.deliver_by, Job.pending)
        .where(_is_open(), *chosen, _has_due(now, Render.tier == tier, rests.awake(resting)))
        .order_by(
            Job.priority.desc(),
            Job.deliver_by.is_(None),
            Job.deliver_by,
            Job.served_at.is_not(None),
            Job.served_at,
            Job.id,
        )
        .limit(_JOBS_AT_MOST)
    )
    return [Turn(*row) for row in connection.execute(query)]


def models_of(connection: Connection, tier: Tier, job_id: str) -> list[str]:
    """The models of a job's pending renders on a tier, those of its next rows first."""
    query = (
        select(Render.model)
        .where(Render.job_id == job_id, Render.tier == tier, Render.state == RenderState.PENDING)
        .group_by(Render.model)
        .order_by(func.min(Render.rank), func.min(Render.id))
    )
    return list(connection.scalars(query))


def tiers_with_work(connection: Connection) -> list[Tier]:
    """The tiers for which a claim would find something now; models that rest may keep it away."""
    now = db.now(connection)
    tiers = union_all(*(select(literal(tier.value).label("tier")) for tier in Tier)).cte("tiers")
    due = _has_due(now, Render.tier == tiers.c.tier)
    stopped = exists().where(
        Rest.tier.in_([tiers.c.tier, rests.EVERY_TIER]),
        Rest.model == rests.WHOLE_TIER,
        Rest.reason != rests.DAY_SPENT,
        rests.in_force(now),
    )
    query = select(tiers.c.tier).where(exists().where(_is_open(), due), ~stopped)
    return [Tier(name) for name in connection.scalars(query)]


def _is_open() -> ColumnElement[bool]:
    return and_(Job.pending > 0, Job.paused.is_(False), Job.loaded_at.is_not(None))


def _has_due(now: datetime, *chosen: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition that a job has a due render, looked up job by job.

    PostgreSQL would make a join of an EXISTS, and read every pending render for it.
    """
    due = select(Render.id).where(Render.job_id == Job.id, is_due(now), *chosen)
    return due.limit(1).correlate_except(Render).scalar_subquery().is_not(None)


def is_due(now: datetime) -> ColumnElement[bool]:
    """The condition that a render may be sent now."""
    is_time = or_(Render.due_at.is_(None), Render.due_at <= now)
    return and_(Render.state == RenderState.PENDING, is_time)
