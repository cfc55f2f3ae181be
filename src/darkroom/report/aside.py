"""Images that were paid and set aside, and those of a job that look alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, func, select

from darkroom import db
from darkroom.models import Attempt, AttemptState, Look, Render

_PAGE: Final = 1_000


class Waste(msgspec.Struct, frozen=True):
    """How many images of a job were set aside for the same reason, and what they cost."""

    reason: str
    images: int
    charged_nusd: int


class Quarantined(msgspec.Struct, frozen=True):
    """An image that was paid and is nobody's. Its file, on its worker's machine, is `attempt_id`.

    What was no image at all, such as broken base64, left no file.
    """

    attempt_id: str
    id: str
    variant: int
    reason: str
    message: str | None
    charged_nusd: int


def waste(connection: Connection, job_id: str) -> list[Waste]:
    """Count a job's images that were set aside by their reasons, the most first."""
    reason = func.coalesce(Attempt.finish_reason, AttemptState.SPOILED.value)
    images = func.count()
    query = (
        select(reason, images, func.sum(Attempt.charged_nusd))
        .where(Attempt.job_id == job_id, Attempt.state == AttemptState.SPOILED)
        .group_by(reason)
        .order_by(images.desc(), reason)
    )
    return [Waste(why, how_many, int(cost)) for why, how_many, cost in connection.execute(query)]


def quarantined(engine: Engine, job_id: str) -> Iterator[Quarantined]:
    """A job's images that were set aside, the oldest first, in flat memory."""
    after = ""
    columns = (Attempt.id, Render.row_id, Render.variant, Attempt.finish_reason, Attempt.message)
    while True:
        query = (
            select(*columns, Attempt.charged_nusd)
            .join(Render, Render.id == Attempt.render_id)
            .where(Attempt.job_id == job_id, Attempt.state == AttemptState.SPOILED)
            .where(Attempt.id > after)
            .order_by(Attempt.id)
            .limit(_PAGE)
        )
        with db.reading(engine) as connection:
            page = connection.execute(query).all()
        for own, row_id, variant, why, said, cost in page:
            yield Quarantined(own, row_id, variant, why or AttemptState.SPOILED, said, cost)
        if len(page) < _PAGE:
            return
        after = page[-1].id


def alike(connection: Connection, job_id: str) -> list[list[str]]:
    """The rows of a job whose images look alike, together; one with such variants twice.

    Only where `gates.duplicate` had it kept how they look.
    """
    shared = (
        select(Look.look).where(Look.job_id == job_id).group_by(Look.look).having(func.count() > 1)
    )
    query = (
        select(Look.look, Render.row_id)
        .join(Render, Render.id == Look.render_id)
        .where(Look.job_id == job_id, Look.look.in_(shared))
        .order_by(Look.render_id)
    )
    groups: dict[str, list[str]] = {}
    for look, row_id in connection.execute(query):
        groups.setdefault(look, []).append(row_id)
    return list(groups.values())
