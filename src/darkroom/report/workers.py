"""Which worker processes there are, whether they live, and what they hold."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, exists, func, or_, select

from darkroom import db
from darkroom.db import AnyRow
from darkroom.models import Attempt, AttemptState, Worker

_SHOWN: Final = timedelta(days=1)


class Life(StrEnum):
    """How a worker is, as far as the books know."""

    WORKING = "working"
    DRAINING = "draining"
    SILENT = "silent"
    ENDED = "ended"


class Held(msgspec.Struct, frozen=True):
    """Attempts of one tier whose answers are not in the books yet."""

    attempts: int
    oldest_seconds: float


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process. `silent` ones let their lease run out: they are taken for dead."""

    id: str
    host: str
    pid: int
    tiers: list[str]
    life: Life
    started_at: datetime
    lease_until: datetime
    draining_at: datetime | None
    ended_at: datetime | None
    holds: dict[str, Held]


def worker_states(connection: Connection, *, ended_too: bool = False) -> list[WorkerState]:
    """All workers that live or hold anything, and those of the last day, the newest first."""
    now = db.now(connection)
    query = select(Worker.__table__).order_by(Worker.started_at.desc(), Worker.id)
    if not ended_too:
        open_attempt = exists().where(
            Attempt.worker_id == Worker.id, Attempt.state == AttemptState.SENT
        )
        query = query.where(or_(Worker.lease_until > now - _SHOWN, open_attempt))
    holds = _holds(connection, now)
    return [_state(row, holds[row.id], now) for row in connection.execute(query)]


def _holds(connection: Connection, now: datetime) -> defaultdict[str, dict[str, Held]]:
    counted = (
        select(
            Attempt.worker_id,
            Attempt.tier,
            func.count().label("attempts"),
            func.min(Attempt.sent_at).label("oldest"),
        )
        .where(Attempt.state == AttemptState.SENT, Attempt.worker_id.is_not(None))
        .group_by(Attempt.worker_id, Attempt.tier)
        .order_by(Attempt.tier)
    )
    found: defaultdict[str, dict[str, Held]] = defaultdict(dict)
    for row in connection.execute(counted):
        age = round((now - row.oldest).total_seconds(), 1)
        found[row.worker_id][row.tier] = Held(row.attempts, max(0.0, age))
    return found


def _state(row: AnyRow, holds: dict[str, Held], now: datetime) -> WorkerState:
    return WorkerState(
        id=row.id,
        host=row.host,
        pid=row.pid,
        tiers=row.tiers.split(","),
        life=_life(row, now),
        started_at=row.started_at,
        lease_until=row.lease_until,
        draining_at=row.draining_at,
        ended_at=row.ended_at,
        holds=holds,
    )


def _life(row: AnyRow, now: datetime) -> Life:
    if row.ended_at is not None:
        return Life.ENDED
    if row.lease_until <= now:
        return Life.SILENT
    return Life.WORKING if row.draining_at is None else Life.DRAINING
