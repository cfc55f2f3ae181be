"""Provider batches in the books: the only writer of their table.

One worker at a time carries a batch, by a lease; every change it makes is guarded by that. Whoever
comes after it finds the state in which it was left, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, insert, or_, select, update

from darkroom import db
from darkroom.errors import NotFound
from darkroom.ids import new_id
from darkroom.jobs import rests
from darkroom.jobs.claim import Bound, Claim, claim
from darkroom.jobs.dealer import ANY, Fits
from darkroom.jobs.turns import models_of, turns
from darkroom.models import Attempt, AttemptState, Batch, BatchState, Job
from darkroom.settings import Budget
from darkroom_manifests.tier import Tier

_OPENING: Final = 0x62617463  # only one at a time counts and opens
OPEN: Final = (BatchState.BUILDING, BatchState.CREATING, BatchState.RUNNING, BatchState.COLLECTING)
"""States in which a batch holds open attempts, or may."""


class NotCarried(Exception):
    """Somebody else carries the batch by now: the change was not made."""


def next_bound(connection: Connection, tier: Tier, full: Collection[str] = ()) -> Bound | None:
    """Name a batch for the job and model whose turn it is; None without due work.

    Models that are `full` have no room at the provider.
    """
    now = db.now(connection)
    away = _away(connection, tier, now) | {*full}
    if rests.WHOLE_TIER in away:
        return None
    for turn in turns(connection, tier, now, away):
        for model in models_of(connection, tier, turn.job_id):
            if model not in away:
                return Bound(new_id("bat"), turn.job_id, model)
    return None


def wait_to_open(connection: Connection) -> None:
    """Let nobody else open a batch until this transaction ends: caps are counted in turn."""
    db.take_turns(connection, _OPENING)


def open_batch(
    connection: Connection,
    tier: Tier,
    bound: Bound,
    want: int,
    worker_id: str,
    *,
    budget: Budget,
    lease_seconds: float,
    fits: Fits = ANY,
) -> list[Claim]:
    """Claim the first renders of a batch and write it down as intended; [] when nothing fits."""
    claims = claim(connection, tier, want, worker_id, budget=budget, bound=bound, fits=fits)
    if claims:
        now = db.now(connection)
        connection.execute(
            insert(Batch).values(
                id=bound.batch_id,
                job_id=bound.job_id,
                tier=tier,
                model=bound.model,
                state=BatchState.BUILDING,
                lines=len(claims),
                created_at=now,
                next_at=now,
                worker_id=worker_id,
                carried_until=now + timedelta(seconds=lease_seconds),
            )
        )
    return claims


def add_to_batch(
    connection: Connection,
    tier: Tier,
    bound: Bound,
    want: int,
    worker_id: str,
    *,
    budget: Budget,
    fits: Fits = ANY,
) -> list[Claim]:
    """Claim more for a batch that is still being built."""
    claims = claim(connection, tier, want, worker_id, budget=budget, bound=bound, fits=fits)
    if claims:
        change(connection, bound.batch_id, worker_id, lines=Batch.lines + len(claims))
    return claims


def take_due(
    connection: Connection, tier: Tier, worker_id: str, lease_seconds: float
) -> Batch | None:
    """Carry the batch that waits longest to be looked at, if nobody else carries it."""
    now = db.now(connection)
    free = or_(Batch.carried_until.is_(None), Batch.carried_until < now)
    found = connection.execute(
        select(Batch.id)
        .where(Batch.tier == tier, Batch.next_at <= now, free)
        .order_by(Batch.next_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar_one_or_none()
    if found is None:
        return None
    until = now + timedelta(seconds=lease_seconds)
    mine = update(Batch).where(Batch.id == found)
    connection.execute(mine.values(worker_id=worker_id, carried_until=until))
    return find(connection, found)


def find(connection: Connection, batch_id: str) -> Batch:
    """Read a batch."""
    row = connection.execute(select(Batch.__table__).where(Batch.id == batch_id)).mappings().one()
    return Batch(**row)


def carry_on(connection: Connection, batch_id: str, worker_id: str, lease_seconds: float) -> None:
    """Renew the lease on a batch. Raises NotCarried."""
    until = db.now(connection) + timedelta(seconds=lease_seconds)
    change(connection, batch_id, worker_id, carried_until=until)


def change(connection: Connection, batch_id: str, worker_id: str, **values: Any) -> None:
    """Change what the books say of a batch that is carried. Raises NotCarried."""
    mine = update(Batch).where(Batch.id == batch_id, Batch.worker_id == worker_id)
    if not connection.execute(mine.values(**values)).rowcount:
        raise NotCarried(batch_id)


def enter(
    connection: Connection, batch_id: str, worker_id: str, state: BatchState, **values: Any
) -> None:
    """Move a batch to another state, due to be looked at there at once. Raises NotCarried."""
    now = db.now(connection)
    ended = {"ended_at": now, "next_at": None} if state is BatchState.ENDED else {"next_at": now}
    change(connection, batch_id, worker_id, **({"state": state, "looks": 0} | ended | values))


def put_down(connection: Connection, batch_id: str, worker_id: str, seconds: float) -> None:
    """Let go of a batch until it is time to look again. Raises NotCarried."""
    then = db.now(connection) + timedelta(seconds=seconds)
    change(connection, batch_id, worker_id, next_at=then, looks=Batch.looks + 1, carried_until=None)


def may_send(connection: Connection, batch: Batch) -> bool:
    """Whether nothing forbids to ask for it now: a rest, a pause, a cancelled job."""
    away = _away(connection, Tier(batch.tier), db.now(connection))
    job = connection.execute(
        select(Job.paused, Job.cancelled_at).where(Job.id == batch.job_id)
    ).one()
    return not (away & {rests.WHOLE_TIER, batch.model} or job.paused or job.cancelled_at)


def _away(connection: Connection, tier: Tier, now: datetime) -> set[str]:
    """The models that rest, but for a day that is spent: money was set aside before that."""
    resting = rests.of_tier(connection, tier, now)
    return {rest.model for rest in resting if rest.reason != rests.DAY_SPENT}


def ask_to_cancel(connection: Connection, batch_ids: Sequence[str], reason: str) -> int:
    """Write down that batches shall end early; whoever carries them tells the provider."""
    now = db.now(connection)
    chosen = update(Batch).where(Batch.id.in_(batch_ids), Batch.cancelled_at.is_(None))
    return connection.execute(
        chosen.where(Batch.state.in_(OPEN)).values(
            cancelled_at=now, cancel_reason=reason, next_at=now
        )
    ).rowcount


def adopt(connection: Connection, batch_id: str, provider_name: str) -> None:
    """Take a person's word for which batch at the provider this one is. Raises NotFound.

    Whoever carries it just now loses it: what they are about to write is not true any more.
    """
    now = db.now(connection)
    holder = connection.scalar(select(Batch.id).where(Batch.provider_name == provider_name))
    if holder is not None:
        raise NotFound(
            f"{provider_name} is {holder} already.",
            hint="`darkroom batch ls --remote` shows which are strangers.",
        )
    doubtful = (BatchState.CREATING, BatchState.MISSING)
    mine = update(Batch).where(Batch.id == batch_id, Batch.state.in_(doubtful))
    named = {"provider_name": provider_name, "state": BatchState.RUNNING, "looks": 0}
    free = {"worker_id": None, "carried_until": None}
    adopted = connection.execute(
        mine.values(**named, **free, submitted_at=now, next_at=now)
    ).rowcount
    if not adopted:
        raise NotFound(
            f"{batch_id} is not in doubt: nothing is to be adopted.",
            hint=f"`darkroom batch show {batch_id}` tells how it stands.",
        )


def open_attempts(connection: Connection, batch_id: str) -> list[str]:
    """The attempts of a batch that wait for their line, in the order of its input."""
    query = (
        select(Attempt.id)
        .where(Attempt.batch_id == batch_id, Attempt.state == AttemptState.SENT)
        .order_by(Attempt.render_id)
    )
    return list(connection.scalars(query))


def attempts(connection: Connection, batch_id: str) -> list[str]:
    """Every attempt of a batch, whatever became of it."""
    return list(connection.scalars(select(Attempt.id).where(Attempt.batch_id == batch_id)))


def unsettled(connection: Connection, batch_id: str) -> list[str]:
    """The attempts of a batch for which a line would still change the books."""
    lost = (Attempt.state == AttemptState.LOST) & (Attempt.at_risk_nusd > 0)
    query = (
        select(Attempt.id)
        .where(Attempt.batch_id == batch_id, or_(Attempt.state == AttemptState.SENT, lost))
        .order_by(Attempt.render_id)
    )
    return list(connection.scalars(query))


def usage(connection: Connection, tier: Tier) -> list[tuple[str, int, int]]:
    """Open batches and their input tokens, by model: what a provider's caps count."""
    query = (
        select(Batch.model, func.count(), func.coalesce(func.sum(Batch.tokens), 0))
        .where(Batch.tier == tier, Batch.state.in_(OPEN))
        .group_by(Batch.model)
    )
    rows = connection.execute(query)
    return [(model, jobs, int(tokens)) for model, jobs, tokens in rows]


def is_building(connection: Connection, tier: Tier, model: str) -> bool:
    """Whether a batch is being filled, whose tokens nobody knows yet."""
    filled = (Batch.state == BatchState.BUILDING, Batch.tokens == 0)
    query = select(Batch.id).where(Batch.tier == tier, Batch.model == model, *filled)
    return connection.scalar(query.limit(1)) is not None


def lately(connection: Connection) -> datetime:
    """Since when failures count together."""
    return db.now(connection) - timedelta(days=1)


def tiers_with_due_batches(connection: Connection) -> list[Tier]:
    """The tiers where a batch is to be looked at now, and nobody does."""
    now = db.now(connection)
    free = or_(Batch.carried_until.is_(None), Batch.carried_until < now)
    query = select(Batch.tier).where(Batch.next_at <= now, free).distinct()
    return [Tier(name) for name in connection.scalars(query)]
