"""The ledger added up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, case, func, select

from darkroom import db
from darkroom.models import Attempt, AttemptState
from darkroom_manifests.tier import Tier


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """Money of some attempts, in nano-dollars.

    `wasted` is the part of `charged` that brought no picture; `at_risk` may have been charged for
    answers that never came, or above an estimate; `reserved` is set aside for what is in flight.
    All of `simulated` money is pretended: `spent_nusd` is what is real. `attempts` are requests
    that left.
    """

    charged_nusd: int = 0
    at_risk_nusd: int = 0
    wasted_nusd: int = 0
    reserved_nusd: int = 0
    simulated_nusd: int = 0
    attempts: int = 0
    images: int = 0
    image_tokens: int = 0
    text_tokens: int = 0

    @property
    def spent_nusd(self) -> int:
        """What was charged in real money."""
        return self.charged_nusd - self.simulated_nusd

    def __add__(self, other: Spending) -> Spending:
        """Add two."""
        mine, its = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return Spending(**{name: mine[name] + its[name] for name in mine})


class Costs(msgspec.Struct, frozen=True):
    """Money in total, and the same by job, model and tier."""

    total: Spending
    by_job: dict[str, Spending]
    by_model: dict[str, Spending]
    by_tier: dict[str, Spending]


def costs(
    connection: Connection, job_id: str | None = None, since: datetime | None = None
) -> Costs:
    """Add the ledger up, for one job or for all, from some moment on."""
    query = _spending()
    if job_id is not None:
        query = query.where(Attempt.job_id == job_id)
    if since is not None:
        query = query.where(Attempt.sent_at >= since)
    total, by = Spending(), Costs(Spending(), {}, {}, {})
    for row in connection.execute(query):
        spending = _spent(row)
        total += spending
        for group, key in (
            (by.by_job, row.job_id),
            (by.by_model, row.model),
            (by.by_tier, row.tier),
        ):
            group[key] = group.get(key, Spending()) + spending
    return msgspec.structs.replace(by, total=total)


def _spending() -> Select[*tuple[Any, ...]]:
    is_open = Attempt.state == AttemptState.SENT
    delivered = Attempt.state == AttemptState.DELIVERED
    unsent = Attempt.state == AttemptState.NOT_SENT
    words = func.coalesce(Attempt.text_tokens, 0) + func.coalesce(Attempt.thought_tokens, 0)
    return select(
        Attempt.job_id,
        Attempt.model,
        Attempt.tier,
        func.sum(Attempt.charged_nusd).label("charged"),
        func.sum(Attempt.at_risk_nusd).label("at_risk"),
        func.sum(case((delivered, 0), else_=Attempt.charged_nusd)).label("wasted"),
        func.sum(case((is_open, Attempt.reserved_nusd), else_=0)).label("reserved"),
        func.sum(case((unsent, 0), else_=1)).label("attempts"),
        func.sum(case((delivered, 1), else_=0)).label("images"),
        func.sum(func.coalesce(Attempt.image_tokens, 0)).label("image_tokens"),
        func.sum(words).label("text_tokens"),
    ).group_by(Attempt.job_id, Attempt.model, Attempt.tier)


def _spent(row: db.AnyRow) -> Spending:
    charged = int(row.charged)
    return Spending(
        charged_nusd=charged,
        at_risk_nusd=int(row.at_risk),
        wasted_nusd=int(row.wasted),
        reserved_nusd=int(row.reserved),
        simulated_nusd=charged if Tier(row.tier).is_simulated else 0,
        attempts=int(row.attempts),
        images=int(row.images),
        image_tokens=int(row.image_tokens),
        text_tokens=int(row.text_tokens),
    )
