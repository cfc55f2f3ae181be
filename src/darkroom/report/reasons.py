"""Why renders are not done: counted by what they were told, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, Engine, exists, func, select

from darkroom import db
from darkroom.jobs import rests
from darkroom.models import Job, Rejection, Render, RenderState, Rest, Worker
from darkroom_manifests.tier import Tier

_PAGE = 1_000
_UNFINISHED = (
    RenderState.HELD,
    RenderState.WAITING,
    RenderState.PENDING,
    RenderState.SENT,
    RenderState.SUBMITTED,
)


class Reason(msgspec.Struct, frozen=True):
    """How many renders of a job are in a state for the same reason."""

    state: RenderState
    reason: str | None
    renders: int


class Rejected(msgspec.Struct, frozen=True):
    """One thing wrong with a row that was left out of a job."""

    line: int
    column: str | None
    code: str
    message: str
    hint: str | None


def reasons(connection: Connection, job_id: str) -> list[Reason]:
    """Count the renders that are held, refused or failed, by their reasons, the most first."""
    told = (RenderState.HELD, RenderState.REFUSED, RenderState.FAILED)
    query = (
        select(Render.state, Render.reason, func.count().label("renders"))
        .where(Render.job_id == job_id, Render.state.in_(told))
        .group_by(Render.state, Render.reason)
        .order_by(func.count().desc(), Render.reason)
    )
    return [
        Reason(RenderState(row.state), row.reason, row.renders) for row in connection.execute(query)
    ]


def pending_on(connection: Connection, tier: Tier) -> int:
    """How many renders of all jobs wait to be sent on a tier."""
    query = (
        select(func.count())
        .select_from(Render)
        .join(Job, Job.id == Render.job_id)
        .where(Job.pending > 0, Job.loaded_at.is_not(None))
        .where(Render.tier == tier, Render.state == RenderState.PENDING)
    )
    return connection.scalar(query) or 0


def waits(connection: Connection, job_id: str) -> list[Rest]:
    """The rests that keep pending renders of a job from being sent now."""
    return [rest for rest in rests.current(connection) if _stops(connection, rest, job_id)]


def _stops(connection: Connection, rest: Rest, job_id: str) -> bool:
    query = select(Render.id).where(Render.job_id == job_id, Render.state == RenderState.PENDING)
    if rest.tier != rests.EVERY_TIER:
        query = query.where(Render.tier == rest.tier)
    query = query.where(rests.concerns(rest.model))
    return bool(connection.scalar(select(exists(query))))


def rejections(engine: Engine, job_id: str) -> Iterator[Rejected]:
    """What was wrong with the rows that were left out, in their order, in flat memory."""
    after = -1
    while True:
        query = (
            select(Rejection.__table__)
            .where(Rejection.job_id == job_id, Rejection.id > after)
            .order_by(Rejection.id)
            .limit(_PAGE)
        )
        with db.reading(engine) as connection:
            page = connection.execute(query).all()
        for row in page:
            yield Rejected(row.line, row.column, row.code, row.message, row.hint)
        if len(page) < _PAGE:
            return
        after = page[-1].id


def holders(connection: Connection, fingerprints: Sequence[str]) -> set[str]:
    """The jobs that still have any of these pictures to make."""
    query = select(Render.job_id).where(
        Render.fingerprint.in_(fingerprints), Render.state.in_(_UNFINISHED)
    )
    return set(connection.scalars(query.distinct()))


def living_workers(connection: Connection, host: str | None = None) -> int:
    """How many worker processes renewed their lease in time, everywhere or on one host."""
    query = select(func.count()).where(
        Worker.ended_at.is_(None), Worker.lease_until > db.now(connection)
    )
    if host is not None:
        query = query.where(Worker.host == host)
    return connection.scalar(query) or 0
