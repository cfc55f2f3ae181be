"""Where the pictures of attempts belong: read without a lock, before they are published."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Boolean, Connection, and_, func, or_, select, type_coerce

from darkroom.db import AnyRow
from darkroom.models import Attempt, AttemptState, Job, Render, RenderState

ADOPTABLE = (RenderState.PENDING, RenderState.HELD)
"""States of a render that nobody is being asked for: a late picture may still become its."""


class Place(msgspec.Struct, frozen=True):
    """What a storage path is made from. `is_awaited`: the picture can become its render's."""

    job_id: str
    row_id: str
    variant: int
    model: str
    labels: str | None
    template: str
    storage_url: str
    is_awaited: bool


def places(connection: Connection, attempt_ids: Iterable[str]) -> dict[str, Place]:
    """Find the places of attempts, in one query. What is awaited may change until it is booked."""
    is_open = and_(Attempt.state == AttemptState.SENT, Attempt.fence == Render.fence)
    is_late = and_(
        Attempt.state == AttemptState.LOST,
        Attempt.at_risk_nusd > 0,
        Render.state.in_(ADOPTABLE),
    )
    query = (
        select(
            Attempt.id,
            Render.job_id,
            Render.row_id,
            Render.variant,
            Render.model,
            Render.labels,
            func.coalesce(func.nullif(Render.output_path, ""), Job.output_path),
            Job.storage_url,
            type_coerce(or_(is_open, is_late), Boolean),
        )
        .join(Render, Render.id == Attempt.render_id)
        .join(Job, Job.id == Render.job_id)
        .where(Attempt.id.in_(list(attempt_ids)))
    )
    rows: Iterable[AnyRow] = connection.execute(query)
    return {row[0]: Place(*row[1:]) for row in rows}
