"""Hands renders to a worker: guard, fence, attempt and reservation in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from darkroom import bulk, db
from darkroom.db import AnyRow
from darkroom.ids import new_id
from darkroom.jobs import counts, edited, leases, rests
from darkroom.jobs.dealer import ANY, Dealer, Fits
from darkroom.jobs.purse import Purse, Stop
from darkroom.jobs.turns import models_of, tiers_with_work, turns
from darkroom.models import Attempt, AttemptState, Remedy, Render, RenderState
from darkroom.settings import Budget
from darkroom_manifests.money import NANO, short_dollars
from darkroom_manifests.tier import Tier

__all__ = ["Claim", "claim", "tiers_with_work"]

_USUAL: Final = Budget()


class Bound(msgspec.Struct, frozen=True):
    """A provider batch that takes renders of one job and one model only."""

    batch_id: str
    job_id: str
    model: str


class Claim(msgspec.Struct, frozen=True):
    """One attempt, committed as `sent` before its first byte leaves."""

    attempt_id: str
    render_id: int
    job_id: str
    fence: int
    tier: Tier
    model: str
    request: str
    reserved_nusd: int
    sent_at: datetime
    remedy: Remedy | None = None


def claim(
    connection: Connection,
    tier: Tier,
    want: int,
    worker_id: str,
    rooms: Mapping[str, int] | None = None,
    *,
    budget: Budget = _USUAL,
    bound: Bound | None = None,
    fits: Fits = ANY,
) -> list[Claim]:
    """Take up to `want` due renders: by priority, then deadline; equals share alike.

    `rooms` says how many renders of a model may be among them at most, where there are few slots.
    What is `bound` for a batch is `submitted`, and open under the batch instead of the worker; it
    ends before the first request that does not fit any more.
    What a cap does not cover waits while it has money in flight. When it has none, it is held
    until a person raises the cap, or it waits for the next day. A worker whose lease ran out gets
    nothing.
    """
    now = db.now(connection)
    if not leases.is_live(connection, worker_id, now):
        return []
    resting = rests.of_tier(connection, tier, now)
    away = {rest.model for rest in resting if rest.reason != rests.DAY_SPENT}
    away |= {model for model, room in (rooms or {}).items() if room <= 0}
    if bound is not None:
        away |= {*models_of(connection, tier, bound.job_id)} - {bound.model}
    only = None if bound is None else bound.job_id
    queue = [] if rests.WHOLE_TIER in away else turns(connection, tier, now, away, only)
    if not queue:
        return []
    job_ids = [turn.job_id for turn in queue]
    purse = Purse.locked(connection, job_ids, tier, now, budget)
    chosen = Dealer(connection, tier, now, purse, away, rooms or {}, fits).deal(queue, want)
    purse.reserve(connection)
    claims = _take(connection, tier, chosen, worker_id, now, bound)
    stops = purse.stops()
    shifts = _stop(connection, tier, stops)
    if Stop.DAY in stops.values():
        rests.spend_no_more_today(connection, tier, now, _hint(budget))
    elif any(rest.reason == rests.DAY_SPENT for rest in resting):
        rests.spend_again(connection, tier)
    _count(connection, claims, shifts, now, _entered(bound))
    return claims


def _entered(bound: Bound | None) -> RenderState:
    return RenderState.SENT if bound is None else RenderState.SUBMITTED


def recall(connection: Connection, attempt_ids: Collection[str]) -> list[Claim]:
    """Read claims again, in whatever state their attempts are by now."""
    query = (
        select(Attempt, Render.request, Render.parent_id)
        .join(Render, Render.id == Attempt.render_id)
        .where(bulk.among(connection, Attempt.id, attempt_ids))
    )
    rows = connection.execute(query).all()
    requests = edited.completed(connection, rows, key="render_id")
    return [_recalled(row, requests.get(row.render_id, row.request)) for row in rows]


def _recalled(row: AnyRow, request: str) -> Claim:
    return Claim(
        attempt_id=row.id,
        render_id=row.render_id,
        job_id=row.job_id,
        fence=row.fence,
        tier=Tier(row.tier),
        model=row.model,
        request=request,
        reserved_nusd=row.reserved_nusd,
        sent_at=row.sent_at,
        remedy=row.remedy and Remedy(row.remedy),
    )


def _hint(budget: Budget) -> str:
    cap = short_dollars(int((budget.per_day or 0) * NANO))
    return f"budget.per_day is {cap}; raise it, or go on after midnight UTC."


def _take(
    connection: Connection,
    tier: Tier,
    chosen: Sequence[AnyRow],
    worker_id: str,
    now: datetime,
    bound: Bound | None,
) -> list[Claim]:
    requests = edited.completed(connection, chosen)
    claims = [
        Claim(
            attempt_id=new_id("att"),
            render_id=render.id,
            job_id=render.job_id,
            fence=render.fence + 1,
            tier=tier,
            model=render.model,
            request=requests.get(render.id, render.request),
            reserved_nusd=render.reserve_nusd,
            sent_at=now,
            remedy=render.remedy and Remedy(render.remedy),
        )
        for render in chosen
    ]
    if claims:
        connection.execute(
            update(Render)
            .where(bulk.among(connection, Render.id, [claim.render_id for claim in claims]))
            .values(state=_entered(bound), fence=Render.fence + 1, due_at=None, reason=None)
        )
        carrier = (worker_id, None) if bound is None else (None, bound.batch_id)
        bulk.put(connection, Attempt, [_attempt(claim, *carrier) for claim in claims])
    return claims


def _stop(
    connection: Connection, tier: Tier, stops: Mapping[str, Stop]
) -> defaultdict[str, counts.Shifts]:
    """Hold what a person must free: all of a job at its own cap, else what is on this tier."""
    shifts: defaultdict[str, counts.Shifts] = defaultdict(Counter)
    for job_id, stop in sorted(stops.items()):
        if stop is not Stop.DAY:
            held = _hold(connection, job_id, None if stop is Stop.JOB else tier)
            counts.moved(shifts[job_id], RenderState.PENDING, RenderState.HELD, held)
    return shifts


def _hold(connection: Connection, job_id: str, tier: Tier | None) -> int:
    """Hold what is pending; what another claim looks at just now, that claim will hold."""
    pending = select(Render.id).where(Render.job_id == job_id, Render.state == RenderState.PENDING)
    if tier is not None:
        pending = pending.where(Render.tier == tier)
    return connection.execute(
        update(Render)
        .where(Render.id.in_(pending.with_for_update(skip_locked=True)))
        .values(state=RenderState.HELD, reason="cap")
    ).rowcount


def _count(
    connection: Connection,
    claims: list[Claim],
    shifts: defaultdict[str, counts.Shifts],
    now: datetime,
    entered: RenderState,
) -> None:
    """Write the jobs last and in order: every writer locks accounts first, then jobs."""
    for claim in claims:
        counts.moved(shifts[claim.job_id], RenderState.PENDING, entered)
    counts.serve(connection, shifts, now)


def _attempt(claim: Claim, worker_id: str | None, batch_id: str | None) -> dict[str, Any]:
    return {
        "id": claim.attempt_id,
        "render_id": claim.render_id,
        "job_id": claim.job_id,
        "fence": claim.fence,
        "tier": claim.tier,
        "model": claim.model,
        "worker_id": worker_id,
        "batch_id": batch_id,
        "state": AttemptState.SENT,
        "reserved_nusd": claim.reserved_nusd,
        "charged_nusd": 0,
        "at_risk_nusd": 0,
        "sent_at": claim.sent_at,
        "remedy": claim.remedy,
    }
