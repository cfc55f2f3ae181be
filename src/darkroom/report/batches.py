"""Provider batches as they stand, by the books alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from darkroom import db
from darkroom.errors import NotFound
from darkroom.models import Attempt, AttemptState, Batch, BatchState


class ProviderBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One batch. `succeeded` and `failed` are lines as the provider counts; times are UTC.

    `waited_seconds` is since the provider has it, or since it was claimed.
    """

    id: str
    job_id: str
    tier: str
    model: str
    state: BatchState
    provider_name: str | None
    provider_state: str | None
    lines: int
    open: int
    succeeded: int | None
    failed: int | None
    delivered: int
    quarantined: int
    message: str | None
    cancel_reason: str | None
    created_at: datetime
    submitted_at: datetime | None
    ended_at: datetime | None
    next_at: datetime | None
    waited_seconds: float


class Batching(msgspec.Struct, frozen=True):
    """How far a job's batches are: how many there are, are over, and for how long one waits."""

    batches: int
    over: int
    oldest_seconds: float


def provider_batches(
    connection: Connection, *, job_id: str | None = None, ended_too: bool = False
) -> list[ProviderBatch]:
    """The batches that are not ended, or all, the newest first."""
    chosen: list[ColumnElement[bool]] = []
    if job_id is not None:
        chosen.append(Batch.job_id == job_id)
    if not ended_too:
        chosen.append(Batch.state != BatchState.ENDED)
    now = db.now(connection)
    query = select(Batch.__table__).where(*chosen).order_by(Batch.created_at.desc(), Batch.id)
    waiting = _open(connection)
    return [
        _state(dict(row), waiting.get(row["id"], 0), now)
        for row in connection.execute(query).mappings()
    ]


def _open(connection: Connection) -> dict[str, int]:
    query = (
        select(Attempt.batch_id, func.count())
        .where(Attempt.batch_id.is_not(None), Attempt.state == AttemptState.SENT)
        .group_by(Attempt.batch_id)
    )
    return {str(batch_id): count for batch_id, count in connection.execute(query)}


def _state(row: dict[str, Any], still_open: int, now: datetime) -> ProviderBatch:
    began = row["submitted_at"] or row["created_at"]
    waited = ((row["ended_at"] or now) - began).total_seconds()
    known = {name: row[name] for name in ProviderBatch.__struct_fields__ if name in row}
    return ProviderBatch(
        **(known | {"state": BatchState(row["state"])}),
        open=still_open,
        waited_seconds=round(max(0.0, waited), 1),
    )


def find_batch(connection: Connection, name: str) -> str:
    """The id of a batch by its id or a beginning or end of it. Raises NotFound."""
    found = [
        batch_id
        for batch_id in connection.scalars(select(Batch.id).order_by(Batch.created_at.desc()))
        if batch_id.startswith(name) or batch_id.endswith(name)
    ]
    if len(found) != 1:
        said = "No batch is" if not found else f"{len(found)} batches are"
        raise NotFound(f'{said} "{name}".', hint="`darkroom batch ls --all` lists them.")
    return found[0]


def batching(connection: Connection, job_id: str) -> Batching | None:
    """How far a job's batches are; None when it has none that is not over."""
    now = db.now(connection)
    total, over, oldest = connection.execute(
        select(
            func.count(),
            func.count(Batch.ended_at),
            func.min(func.coalesce(Batch.submitted_at, Batch.created_at)).filter(
                Batch.ended_at.is_(None)
            ),
        ).where(Batch.job_id == job_id)
    ).one()
    if oldest is None:
        return None
    return Batching(total, over, max(0.0, (now - oldest).total_seconds()))
