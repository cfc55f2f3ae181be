"""How long each tier took lately, by the books: from sending a request to having its image."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select

from darkroom import db
from darkroom.models import Attempt, AttemptState
from darkroom.router import Turnaround
from darkroom_manifests.tier import Tier

_LATELY: Final = timedelta(days=14)
_NEWEST: Final = 1_000
_LEAST: Final = 20


def turnarounds(connection: Connection) -> Iterator[tuple[Tier, Turnaround]]:
    """Of each tier that delivered enough: the newest thousand images of two weeks."""
    since = db.now(connection) - _LATELY
    for tier in Tier:
        newest = (
            select(Attempt.sent_at, Attempt.closed_at)
            .where(Attempt.tier == tier, Attempt.sent_at > since)
            .where(Attempt.state == AttemptState.DELIVERED)
            .order_by(Attempt.sent_at.desc())
            .limit(_NEWEST)
        )
        took = sorted(
            (closed_at - sent_at).total_seconds()
            for sent_at, closed_at in connection.execute(newest)
            if closed_at is not None
        )
        if len(took) >= _LEAST:
            yield tier, Turnaround(_of(took, 0.5), _of(took, 0.9))


def _of(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]
