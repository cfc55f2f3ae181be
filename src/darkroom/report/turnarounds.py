"""How long each tier took lately, by the books: from sending a request to having its image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Select, bindparam, select, union_all

from darkroom import db
from darkroom.models import Attempt, AttemptState, UtcDateTime
from darkroom.router import Turnaround
from darkroom_manifests.tier import Tier

_LATELY: Final = timedelta(days=14)
_NEWEST: Final = 1_000
_LEAST: Final = 20


def turnarounds(connection: Connection) -> Iterator[tuple[Tier, Turnaround]]:
    """Of each tier that delivered enough: the newest thousand images of two weeks."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    since = db.now(connection) - _LATELY
    for tier, sent_at, closed_at in connection.execute(_NEWEST_OF_EACH, {"since": since}):
        took[tier].append((closed_at - sent_at).total_seconds())
    for tier, seconds in took.items():
        if len(seconds) >= _LEAST:
            ordered = sorted(seconds)
            yield Tier(tier), Turnaround(_of(ordered, 0.5), _of(ordered, 0.9))


def _newest(tier: Tier) -> Select[str, datetime, datetime]:
    newest = (
        select(Attempt.tier, Attempt.sent_at, Attempt.closed_at)
        .where(Attempt.tier == tier, Attempt.sent_at > bindparam("since", type_=UtcDateTime()))
        .where(Attempt.state == AttemptState.DELIVERED, Attempt.closed_at.is_not(None))
        .order_by(Attempt.sent_at.desc())
        .limit(_NEWEST)
        .subquery()
    )
    return select(newest.c.tier, newest.c.sent_at, newest.c.closed_at)


# One question for all tiers: a web server waits for it with every row that it hands over.
_NEWEST_OF_EACH: Final = union_all(*map(_newest, Tier))


def _of(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]
