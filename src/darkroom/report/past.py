"""What was sent on a tier lately, by the books: limits are filled again from it, people read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, select

from darkroom import db, pacific
from darkroom.models import Attempt, AttemptState
from darkroom_manifests.tier import Tier

_MINUTE: Final = 60.0
_NEWEST: Final = 120.0


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one tier that left, or may have left.

    `newest` is how many seconds ago the last one was claimed, None if that is long ago. `spending`
    is the nano-dollars of each request, by seconds ago, the oldest first.
    """

    minute: int
    newest: float | None
    today: int
    in_flight: int
    spending: tuple[tuple[float, int], ...]

    @property
    def spent_nusd(self) -> int:
        """What the window's requests cost or may cost, in nano-dollars."""
        return sum(nusd for _, nusd in self.spending)


def past(connection: Connection, tier: Tier, window_seconds: float) -> Past:
    """Count a tier's requests: of a minute, of this Pacific day, in flight, and their money."""
    now = db.now(connection)
    left = (Attempt.tier == tier) & (Attempt.state != AttemptState.NOT_SENT)
    count = select(func.count()).select_from(Attempt).where(left)
    flying = count.where(Attempt.state == AttemptState.SENT)
    window = connection.execute(
        select(Attempt.sent_at, _money())
        .where(left, Attempt.sent_at > now - timedelta(seconds=max(_NEWEST, window_seconds)))
        .order_by(Attempt.sent_at)
    )
    spending = tuple(((now - sent_at).total_seconds(), int(nusd)) for sent_at, nusd in window)
    return Past(
        minute=sum(ago < _MINUTE for ago, _ in spending),
        newest=spending[-1][0] if spending else None,
        today=sent_today(connection, tier),
        in_flight=connection.scalar(flying) or 0,
        spending=spending,
    )


def sent_today(connection: Connection, tier: Tier) -> int:
    """Count a tier's requests of this Pacific day."""
    began = pacific.day_of(db.now(connection)).began
    left = (Attempt.tier == tier) & (Attempt.state != AttemptState.NOT_SENT)
    query = select(func.count()).select_from(Attempt).where(left, Attempt.sent_at >= began)
    return connection.scalar(query) or 0


def _money() -> ColumnElement[int]:
    """What an attempt costs, or may cost while it is open: closed ones keep what was reserved."""
    reserved = case((Attempt.state == AttemptState.SENT, Attempt.reserved_nusd), else_=0)
    return Attempt.charged_nusd + Attempt.at_risk_nusd + reserved
