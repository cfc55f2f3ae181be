"""Ends attempts: attempts, money, renders and job counters in one transaction, many at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from darkroom import bulk, db, ledger
from darkroom.db import AnyRow
from darkroom.jobs import counts, edits, looks, signatures
from darkroom.jobs.picture import Picture
from darkroom.jobs.steps import Step, Tally, next_step
from darkroom.models import Attempt, AttemptState, CostSource, Job, Remedy, Render, RenderState
from darkroom.settings import Rules
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

__all__ = ["Closed", "Closing", "Picture", "Tokens", "close"]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the provider reported them, and billed queries; None where it said nothing."""

    prompt: int | None = None
    cached: int | None = None
    image: int | None = None
    text: int | None = None
    thought: int | None = None
    searches: int | None = None


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt ended. `wait` is what the provider asked for, in seconds.

    `busy_seconds` is the least wait after a refusal of capacity, whatever the provider asked for.
    `remedy` is what the next request could say differently after a refusal, if there is anything.
    `signed` are the parts of an answer that another turn goes on from; see `Exchange`.
    """

    attempt_id: str
    ended: AttemptState
    charged_nusd: int = 0
    cost_source: CostSource | None = None
    price_version: str | None = None
    tokens: Tokens = Tokens()
    traffic_type: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None
    block_reason: str | None = None
    message: str | None = None
    response_id: str | None = None
    latency_ms: int | None = None
    wait: float | None = None
    busy_seconds: float = 0.0
    picture: Picture | None = None
    remedy: Remedy | None = None
    signed: str | None = None


class Closed(msgspec.Struct, frozen=True):
    """What a transaction did: attempts that it closed, and the ones that were closed before.

    What is in neither is open as it was: its picture is not stored yet.
    """

    steps: Mapping[str, Step]
    late: tuple[Closing, ...]


def close(
    connection: Connection,
    closings: Sequence[Closing],
    rules: Rules,
    stored: Mapping[str, Stored],
) -> Closed:
    """Close attempts that are still open; the fence turns the late ones away.

    `stored` says where the pictures lie, by attempt: a render is done only with its object.
    """
    now = db.now(connection)
    by_id = {closing.attempt_id: closing for closing in closings}
    found = _open_attempts(connection, by_id)
    open_rows = [row for row in found if _is_whole(by_id[row.attempt_id], stored)]
    by_id |= _stopped(connection, open_rows, by_id)
    steps = {row.attempt_id: _step(by_id[row.attempt_id], row, rules) for row in open_rows}
    attempts, renders = [], []
    for row in open_rows:
        closing, step = by_id[row.attempt_id], steps[row.attempt_id]
        attempts.append(_attempt(closing, row, step, now))
        renders.append(_render(closing, row, step, stored.get(row.attempt_id), now))
    bulk.change(connection, Attempt, attempts)
    bulk.change(connection, Render, renders)
    _book(connection, open_rows, by_id)
    _count(connection, open_rows, steps, now)
    signatures.keep(
        connection, {row.render_id: _signed(by_id[row.attempt_id]) for row in open_rows}
    )
    edits.follow(connection, {row.render_id: steps[row.attempt_id].state for row in open_rows})
    still_open = {row.attempt_id for row in found}
    late = tuple(c for c in by_id.values() if c.attempt_id not in still_open)
    return Closed(steps, late)


def _stopped(
    connection: Connection, rows: Sequence[AnyRow], by_id: Mapping[str, Closing]
) -> dict[str, Closing]:
    """What a gate stops that must know all images of a job: it is paid, and nobody's picture."""
    pictures = {owner: one.picture for owner, one in by_id.items() if one.picture is not None}
    return {
        owner: msgspec.structs.replace(
            by_id[owner],
            ended=AttemptState.SPOILED,
            finish_reason=looks.DUPLICATE,
            message=f"It looks like the image of row {other}.",
            picture=None,
        )
        for owner, other in looks.book(connection, rows, pictures).items()
    }


def _signed(closing: Closing) -> str | None:
    return None if closing.picture is None else closing.signed


def _is_whole(closing: Closing, stored: Mapping[str, Stored]) -> bool:
    return closing.picture is None or closing.attempt_id in stored


def _open_attempts(connection: Connection, ids: Collection[str]) -> Sequence[AnyRow]:
    query = (
        select(
            Attempt.id.label("attempt_id"),
            Attempt.tier,
            Attempt.sent_at,
            Attempt.reserved_nusd,
            Render.id.label("render_id"),
            Render.row_id,
            Render.state,
            Render.fence,
            Render.tries,
            Render.imageless,
            Render.losses,
            Render.remedy,
            Render.reserve_nusd,
            Render.max_cost_nusd,
            Render.charged_nusd,
            Render.at_risk_nusd,
            Job.id.label("job_id"),
            Job.cancelled_at,
        )
        .join(Render, Render.id == Attempt.render_id)
        .join(Job, Job.id == Render.job_id)
        .where(bulk.among(connection, Attempt.id, ids), Attempt.state == AttemptState.SENT)
        .where(Render.fence == Attempt.fence)
        .order_by(Render.id)
        .with_for_update(of=(Attempt, Render))
    )
    return connection.execute(query).all()


def _step(closing: Closing, row: AnyRow, rules: Rules) -> Step:
    tally = Tally(
        row.fence, row.tries, row.imageless, row.losses, is_cancelled=row.cancelled_at is not None
    )
    reason = closing.block_reason or closing.finish_reason
    step = next_step(
        tally,
        closing.ended,
        rules,
        reason,
        closing.wait,
        busy_seconds=closing.busy_seconds,
        remedy=closing.remedy,
    )
    if step.state is RenderState.PENDING and row.max_cost_nusd is not None:
        spent = row.charged_nusd + row.at_risk_nusd + sum(_money(closing, row))
        if spent + row.reserve_nusd > row.max_cost_nusd:
            return msgspec.structs.replace(step, state=RenderState.FAILED, reason="max-cost")
    return step


def _money(closing: Closing, row: AnyRow) -> tuple[int, int]:
    """The charge, and what may have been charged on top of it.

    A lost answer counts at its full reservation, and so does what an estimate falls short of it.
    """
    is_open = closing.ended is AttemptState.LOST or closing.cost_source is CostSource.ESTIMATED
    at_risk = max(0, row.reserved_nusd - closing.charged_nusd) if is_open else 0
    return closing.charged_nusd, at_risk


def _attempt(closing: Closing, row: AnyRow, step: Step, now: datetime) -> dict[str, Any]:
    charged, at_risk = _money(closing, row)
    return {
        "id": closing.attempt_id,
        "state": closing.ended,
        "charged_nusd": charged,
        "at_risk_nusd": at_risk,
        "cost_source": closing.cost_source,
        "price_version": closing.price_version,
        "prompt_tokens": closing.tokens.prompt,
        "cached_tokens": closing.tokens.cached,
        "image_tokens": closing.tokens.image,
        "text_tokens": closing.tokens.text,
        "thought_tokens": closing.tokens.thought,
        "searches": closing.tokens.searches,
        "traffic_type": closing.traffic_type,
        "http_status": closing.http_status,
        "finish_reason": closing.finish_reason,
        "block_reason": closing.block_reason,
        "message": closing.message,
        "response_id": closing.response_id,
        "resend_rule": step.resend_rule,
        "closed_at": now,
        "latency_ms": closing.latency_ms,
    }


def _render(
    closing: Closing, row: AnyRow, step: Step, stored: Stored | None, now: datetime
) -> dict[str, Any]:
    charged, at_risk = _money(closing, row)
    picture = closing.picture if stored is not None else None
    stored = stored if picture is not None else None
    waits = step.state is RenderState.PENDING and step.wait
    return {
        "id": row.render_id,
        "state": step.state,
        "reason": step.reason,
        "message": None if step.state is RenderState.DONE else closing.message,
        "due_at": now + timedelta(seconds=step.wait or 0) if waits else None,
        "tries": row.tries + step.tries,
        "imageless": row.imageless + step.imageless,
        "losses": row.losses + step.losses,
        "remedy": step.remedy or row.remedy,
        "charged_nusd": row.charged_nusd + charged,
        "at_risk_nusd": row.at_risk_nusd + at_risk,
        "attempt_id": closing.attempt_id if picture else None,
        "uri": stored.uri if stored else None,
        "sha256": picture.sha256 if picture else None,
        "crc32c": stored.crc32c if stored else None,
        "bytes": picture.bytes if picture else None,
        "mime": picture.mime if picture else None,
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
        "finished_at": now if step.state.is_final else None,
    }


def _book(connection: Connection, rows: Sequence[AnyRow], by_id: Mapping[str, Closing]) -> None:
    postings: defaultdict[str, ledger.Posting] = defaultdict(ledger.Posting)
    for row in rows:
        charged, at_risk = _money(by_id[row.attempt_id], row)
        for scope in ledger.scopes_of(row.job_id, Tier(row.tier), row.sent_at):
            postings[scope] += ledger.Posting(row.reserved_nusd, charged, at_risk)
    ledger.post(connection, postings)


def _count(
    connection: Connection, rows: Sequence[AnyRow], steps: Mapping[str, Step], now: datetime
) -> None:
    by_job: defaultdict[str, counts.Shifts] = defaultdict(Counter)
    for row in rows:
        enter = steps[row.attempt_id].state
        counts.moved(by_job[row.job_id], RenderState(row.state), enter)
    counts.shift(connection, by_job, now)
