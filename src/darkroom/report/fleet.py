"""The whole fleet at one moment, added up from the books: for metrics and for the doctor."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, func, literal, or_, select

from darkroom import db
from darkroom.db import AnyRow
from darkroom.jobs import rests
from darkroom.models import Account, Attempt, AttemptState, Job, Render, RenderState, Rest, Worker
from darkroom.report.jobs import word
from darkroom.report.workers import Life

_FORGOTTEN: Final = timedelta(days=1)
"""A worker that has been silent for so long is history."""

_JOB: Final = Account.scope_of("").rstrip(":")


class RenderKey(msgspec.Struct, frozen=True):
    """Renders that are counted together."""

    state: str
    tier: str
    model: str


class AttemptKey(msgspec.Struct, frozen=True):
    """Attempts that are added up together; `state` is how they ended, or `sent`."""

    state: str
    tier: str
    model: str


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Some attempts added up. Money in nano-dollars."""

    attempts: int
    charged_nusd: int
    at_risk_nusd: int
    reserved_nusd: int
    image_tokens: int
    text_tokens: int
    prompt_tokens: int


class Fullness(msgspec.Struct, frozen=True):
    """Accounts of one kind, such as `job`: how many have a cap, and how full the fullest is."""

    capped: int
    fullest: float


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, at `at` by the database's clock. Workers are counted by tier and life."""

    at: datetime
    jobs: Mapping[str, int]
    renders: Mapping[RenderKey, int]
    attempts: Mapping[AttemptKey, Sums]
    accounts: Mapping[str, Fullness]
    workers: Mapping[tuple[str, Life], int]
    due: Mapping[str, int]
    oldest_due_seconds: Mapping[str, float]
    rests: tuple[Rest, ...]

    @property
    def charged_nusd(self) -> int:
        """All that was charged."""
        return sum(each.charged_nusd for each in self.attempts.values())

    @property
    def at_risk_nusd(self) -> int:
        """All that lost answers may have cost."""
        return sum(each.at_risk_nusd for each in self.attempts.values())


def fleet(connection: Connection) -> Fleet:
    """Read and add up. Takes as long as it takes to read all renders and attempts once."""
    now = db.now(connection)
    due = list(_due(connection, now))
    return Fleet(
        at=now,
        jobs=_jobs(connection),
        renders=_renders(connection),
        attempts=_attempts(connection),
        accounts=_accounts(connection),
        workers=_workers(connection, now),
        due={tier: how_many for tier, how_many, _ in due},
        oldest_due_seconds={tier: seconds for tier, _, seconds in due},
        rests=tuple(rests.current(connection)),
    )


def _jobs(connection: Connection) -> dict[str, int]:
    states = (Job.held, Job.waiting, Job.pending, Job.sent, Job.submitted, Job.cancelled)
    query = select(*states, Job.cancelled_at, Job.paused).where(Job.loaded_at.is_not(None))
    return Counter(word(job) for job in connection.execute(query))


def _renders(connection: Connection) -> dict[RenderKey, int]:
    of = (Render.state, Render.tier, Render.model)
    query = select(*of, func.count().label("how_many")).group_by(*of)
    return {
        RenderKey(row.state, row.tier, row.model): row.how_many for row in connection.execute(query)
    }


def _attempts(connection: Connection) -> dict[AttemptKey, Sums]:
    of = (Attempt.state, Attempt.tier, Attempt.model)
    words = func.coalesce(Attempt.text_tokens, 0) + func.coalesce(Attempt.thought_tokens, 0)
    query = select(
        *of,
        func.count().label("attempts"),
        func.sum(Attempt.charged_nusd).label("charged"),
        func.sum(Attempt.at_risk_nusd).label("at_risk"),
        func.sum(Attempt.reserved_nusd).label("reserved"),
        func.sum(func.coalesce(Attempt.image_tokens, 0)).label("image_tokens"),
        func.sum(words).label("text_tokens"),
        func.sum(func.coalesce(Attempt.prompt_tokens, 0)).label("prompt_tokens"),
    ).group_by(*of)
    return {
        AttemptKey(row.state, row.tier, row.model): _sums(row) for row in connection.execute(query)
    }


def _sums(row: AnyRow) -> Sums:
    return Sums(
        attempts=row.attempts,
        charged_nusd=int(row.charged),
        at_risk_nusd=int(row.at_risk),
        reserved_nusd=int(row.reserved) if row.state == AttemptState.SENT else 0,
        image_tokens=int(row.image_tokens),
        text_tokens=int(row.text_tokens),
        prompt_tokens=int(row.prompt_tokens),
    )


def _accounts(connection: Connection) -> dict[str, Fullness]:
    """Accounts with a cap, but for those of finished jobs."""
    scope = literal(Account.scope_of("")) + Job.id
    query = (
        select(Account)
        .join(Job, Account.scope == scope, isouter=True)
        .where(Account.cap_nusd.is_not(None), Job.finished_at.is_(None))
        .order_by(Account.scope)
    )
    full: defaultdict[str, list[float]] = defaultdict(list)
    for row in connection.execute(query):
        kind = row.scope.partition(":")[0]
        used = row.reserved_nusd + row.spent_nusd + row.at_risk_nusd
        before = full[kind] if kind == _JOB else []  # of days, the last one is today
        full[kind] = [*before, used / row.cap_nusd if row.cap_nusd else 1.0]
    return {kind: Fullness(len(shares), max(shares)) for kind, shares in full.items()}


def _workers(connection: Connection, now: datetime) -> dict[tuple[str, Life], int]:
    query = select(Worker.tiers, Worker.lease_until, Worker.draining_at).where(
        Worker.ended_at.is_(None), Worker.lease_until > now - _FORGOTTEN
    )
    return Counter(
        (tier, _life(row, now))
        for row in connection.execute(query)
        for tier in row.tiers.split(",")
    )


def _life(worker: AnyRow, now: datetime) -> Life:
    if worker.lease_until <= now:
        return Life.SILENT
    return Life.WORKING if worker.draining_at is None else Life.DRAINING


def _due(connection: Connection, now: datetime) -> Iterator[tuple[str, int, float]]:
    """Of each tier: how many renders may be sent now, and how long the oldest has waited."""
    oldest: defaultdict[str, float] = defaultdict(float)
    how_many: Counter[str] = Counter()
    since = func.min(func.coalesce(Render.due_at, Job.loaded_at))
    query = (
        select(Render.tier, Render.job_id, func.count().label("due"), since.label("since"))
        .join(Job, Job.id == Render.job_id)
        .where(Job.pending > 0, Job.paused.is_(False), Job.loaded_at.is_not(None))
        .where(Render.state == RenderState.PENDING)
        .where(or_(Render.due_at.is_(None), Render.due_at <= now))
        .group_by(Render.tier, Render.job_id)
    )
    for row in connection.execute(query):
        how_many[row.tier] += row.due
        oldest[row.tier] = max(oldest[row.tier], (now - row.since).total_seconds())
    for tier, waiting in how_many.items():
        yield tier, waiting, oldest[tier]
