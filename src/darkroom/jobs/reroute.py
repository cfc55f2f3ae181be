"""Moves pending renders of a job to another tier, with what they will cost there set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from darkroom import bulk, db
from darkroom.db import AnyRow
from darkroom.models import Render, RenderState
from darkroom.registry import Registry
from darkroom.request import Request
from darkroom_manifests.tier import Tier

_REQUEST: Final = msgspec.json.Decoder(Request)
_AT_ONCE: Final = 1_000


def move(
    connection: Connection,
    job_id: str,
    tier: Tier,
    instead: Tier,
    registry: Registry,
    location: str,
) -> int:
    """Move what is pending; how many it was. What the other tier cannot draw stays.

    Caps are not looked at here: each claim does, at the new price.
    """
    moved, after = 0, 0
    while rows := _pending(connection, job_id, tier, after):
        after = rows[-1].id
        changes = [
            {"id": row.id, "tier": instead.value, "reserve_nusd": high, "due_at": None}
            for row in rows
            if (high := _reserve(connection, row, instead, registry, location)) is not None
        ]
        bulk.change(connection, Render, changes)
        moved += len(changes)
    return moved


def _pending(connection: Connection, job_id: str, tier: Tier, after: int) -> Sequence[AnyRow]:
    query = (
        select(Render.id, Render.model, Render.request)
        .where(Render.job_id == job_id, Render.tier == tier, Render.id > after)
        .where(Render.state == RenderState.PENDING)
        .order_by(Render.id)
        .limit(_AT_ONCE)
        .with_for_update()
    )
    return connection.execute(query).all()


def _reserve(
    connection: Connection, row: AnyRow, instead: Tier, registry: Registry, location: str
) -> int | None:
    """What one image may cost on the other tier; None where it cannot be drawn there."""
    ask, now = _REQUEST.decode(row.request).ask(row.model), db.now(connection)
    if registry.problems(ask, instead, now.date(), location=location):
        return None
    estimate = registry.estimate(ask, instead, now, location=location)
    return 0 if estimate is None else estimate.high
