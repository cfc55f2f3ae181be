"""Real money against its caps: what today and everything may still spend."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from darkroom import db, ledger
from darkroom.models import Account
from darkroom.settings import Budget


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """Real money of one scope, in nano-dollars. `cap_nusd` and `room_nusd` None: no cap.

    `ends_at` is when a day ends; None for everything.
    """

    scope: str
    ends_at: datetime | None
    cap_nusd: int | None
    room_nusd: int | None
    spent_nusd: int
    reserved_nusd: int
    at_risk_nusd: int

    @property
    def used_nusd(self) -> int:
        """What counts against the cap."""
        return self.spent_nusd + self.reserved_nusd + self.at_risk_nusd


def allowances(connection: Connection, budget: Budget) -> list[Allowance]:
    """Read today's and everything's, with the caps that these settings put on the next claim."""
    now = db.now(connection)
    caps = ledger.caps_of(budget, now)
    accounts = ledger.balances(connection, list(caps))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return [
        _allowance(scope, ends_at, caps[scope], accounts.get(scope, ledger.NOTHING))
        for scope, ends_at in ((Account.scope_of_day(now), midnight), (ledger.ALL, None))
    ]


def _allowance(
    scope: str, ends_at: datetime | None, cap_nusd: int | None, stored: ledger.Balance
) -> Allowance:
    account = msgspec.structs.replace(stored, cap_nusd=cap_nusd)
    return Allowance(
        scope=scope,
        ends_at=ends_at,
        cap_nusd=cap_nusd,
        room_nusd=account.room_nusd,
        spent_nusd=account.spent_nusd,
        reserved_nusd=account.reserved_nusd,
        at_risk_nusd=account.at_risk_nusd,
    )
