"""Moves pending renders of a job to another tier, with what they will cost there set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from darkroom import bulk, db
from darkroom.db import AnyRow
from darkroom.models import Render, RenderState
from darkroom.references.heic import unreadable
from darkroom.registry import Registry
from darkroom.request import Request
from darkroom.router import Kind
from darkroom.router.relay import is_told
from darkroom.router.wished import unheard
from darkroom.settings import Settings
from darkroom.weight import is_pointing, too_heavy
from darkroom_manifests.tier import Tier

_REQUEST: Final = msgspec.json.Decoder(Request)
_AT_ONCE: Final = 1_000


def move(
    connection: Connection,
    job_id: str,
    tier: Tier,
    instead: Tier,
    registry: Registry,
    settings: Settings,
    *,
    which: ColumnElement[bool] | None = None,
    most_times: float | None = None,
) -> int:
    """Move what is pending, all or what a condition says; how many it was.

    What the other tier cannot draw, or be told by the wire of a proxy, stays; so does what may
    cost more than `most_times` as much there.
    Caps are not looked at here: each claim does, at the new price.
    """
    moved, after = 0, 0
    while rows := _pending(connection, job_id, tier, which, after):
        after = rows[-1].id
        changes = [
            {"id": row.id, "tier": instead.value, "reserve_nusd": high, "due_at": None}
            for row in rows
            if (high := _reserve(connection, row, instead, registry, settings)) is not None
            and not _is_too_dear(high, row.reserve_nusd, most_times)
        ]
        bulk.change(connection, Render, changes)
        moved += len(changes)
    return moved


def _is_too_dear(high_nusd: int, before_nusd: int, most_times: float | None) -> bool:
    """Compare prices; where one of them is unknown there is nothing to compare."""
    if most_times is None:
        return False
    return not high_nusd or not before_nusd or high_nusd > before_nusd * most_times


def _pending(
    connection: Connection, job_id: str, tier: Tier, which: ColumnElement[bool] | None, after: int
) -> Sequence[AnyRow]:
    query = (
        select(Render.id, Render.model, Render.request, Render.reserve_nusd)
        .where(Render.job_id == job_id, Render.tier == tier, Render.id > after)
        .where(Render.state == RenderState.PENDING)
        .order_by(Render.id)
        .limit(_AT_ONCE)
        .with_for_update()
    )
    if which is not None:
        query = query.where(which)
    return connection.execute(query).all()


def _is_taken(request: Request, instead: Tier, settings: Settings) -> bool:
    """Whether the other tier takes its images; what is not there any more stays where it is."""
    try:
        pointing = is_pointing(instead, settings)
        is_light = too_heavy(request, instead, pointing=pointing) is None
    except OSError:
        return False
    return is_light and unreadable(request, instead) is None


def _reserve(
    connection: Connection, row: AnyRow, instead: Tier, registry: Registry, settings: Settings
) -> int | None:
    """What one image may cost on the other tier; None where it cannot be drawn there."""
    request, now = _REQUEST.decode(row.request), db.now(connection)
    kind = Kind.of(request, row.model, instead)
    if unheard(kind.told, instead) is not None or not _is_taken(request, instead, settings):
        return None
    if not is_told(kind, instead, settings.proxy.mode, registry):
        return None
    ask, location = request.ask(row.model), settings.vertex.location
    if registry.problems(ask, instead, now.date(), location=location):
        return None
    estimate = registry.estimate(ask, instead, now, location=location)
    return 0 if estimate is None else estimate.high
