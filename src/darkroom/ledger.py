"""What was reserved and what was charged: the only writer of accounts.

Accounts are nested: a job's, a day's, everything's. Each holds sums over its attempts: `reserved`
of the open ones, `spent` of the charges, `at_risk` of the lost ones, which may have been billed. A
cap bounds all three together. Everybody locks accounts in the order of their scopes, and before
jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, case, insert, select, update

from darkroom import db
from darkroom.models import Account
from darkroom.settings import Budget
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier

ALL: Final = "all"
"""The scope of all real money, ever."""


class Balance(msgspec.Struct, frozen=True):
    """An account as it stands, in nano-dollars. `cap_nusd` None means no cap."""

    cap_nusd: int | None
    reserved_nusd: int
    spent_nusd: int
    at_risk_nusd: int

    @property
    def room_nusd(self) -> int | None:
        """What may still be reserved; None without a cap."""
        if self.cap_nusd is None:
            return None
        return self.cap_nusd - self.used_nusd

    @property
    def used_nusd(self) -> int:
        """What counts against the cap."""
        return self.reserved_nusd + self.spent_nusd + self.at_risk_nusd


NOTHING: Final = Balance(None, 0, 0, 0)
"""An account that nobody opened yet."""


class Posting(msgspec.Struct, frozen=True):
    """What one closed attempt moves: its reservation goes, a charge or a risk comes."""

    released_nusd: int = 0
    charged_nusd: int = 0
    at_risk_nusd: int = 0

    def __add__(self, other: Posting) -> Posting:
        """Add two postings of one account."""
        return Posting(
            self.released_nusd + other.released_nusd,
            self.charged_nusd + other.charged_nusd,
            self.at_risk_nusd + other.at_risk_nusd,
        )


def scopes_of(job_id: str, tier: Tier, sent_at: datetime) -> tuple[str, ...]:
    """The accounts that an attempt is booked on, for good, in the order of their locks.

    Only real money belongs to a day and to everything: a rehearsal must not use up the budget.
    """
    job = Account.scope_of(job_id)
    return (job,) if tier.is_simulated else (ALL, Account.scope_of_day(sent_at), job)


def caps_of(budget: Budget, at: datetime) -> dict[str, int | None]:
    """The caps that the settings put on real money beyond a job's, in nano-dollars, by scope."""
    caps = {ALL: budget.total, Account.scope_of_day(at): budget.per_day}
    return {scope: None if cap is None else int(cap * NANO) for scope, cap in caps.items()}


def open_account(connection: Connection, scope: str, cap_nusd: int | None) -> None:
    """Start an account with nothing on it."""
    connection.execute(insert(Account).values(_empty(scope, cap_nusd)))


def _empty(scope: str, cap_nusd: int | None) -> dict[str, str | int | None]:
    sums = {"reserved_nusd": 0, "spent_nusd": 0, "at_risk_nusd": 0}
    return {"scope": scope, "cap_nusd": cap_nusd, **sums}


def lock(
    connection: Connection, job_ids: Iterable[str], caps: Mapping[str, int | None]
) -> dict[str, Balance]:
    """Lock jobs' accounts and those of `caps`, which are opened if need be and get these caps.

    Nobody else changes them until the transaction ends. A cap below what is used already stands
    at that: nothing more is spent, and the books do not look broken.
    """
    found = _locked(connection, sorted(caps)) if caps else {}
    if missing := sorted(caps.keys() - found.keys()):
        # They come before jobs in the order of locks, so none of a job may be held yet.
        _open_if_missing(connection, {scope: caps[scope] for scope in missing})
        found = _locked(connection, sorted(caps))
    found |= _locked(connection, sorted(map(Account.scope_of, job_ids)))
    for scope, wanted in caps.items():
        cap_nusd = None if wanted is None else max(wanted, found[scope].used_nusd)
        if found[scope].cap_nusd != cap_nusd:
            set_cap(connection, scope, cap_nusd)
            found[scope] = msgspec.structs.replace(found[scope], cap_nusd=cap_nusd)
    return found


def _locked(connection: Connection, scopes: Sequence[str]) -> dict[str, Balance]:
    query = (
        select(Account.scope, *_COLUMNS)
        .where(Account.scope.in_(scopes))
        .order_by(Account.scope)
        .with_for_update()
    )
    return {row.scope: Balance(*row[1:]) for row in connection.execute(query)}


_COLUMNS: Final = (
    Account.cap_nusd,
    Account.reserved_nusd,
    Account.spent_nusd,
    Account.at_risk_nusd,
)


def _open_if_missing(connection: Connection, caps: Mapping[str, int | None]) -> None:
    """Start accounts, unless another claim does it at the same moment."""
    rows = [_empty(scope, cap_nusd) for scope, cap_nusd in caps.items()]
    connection.execute(db.insert_of(connection, Account).on_conflict_do_nothing(), rows)


def balances(connection: Connection, scopes: Sequence[str]) -> Mapping[str, Balance]:
    """Read several accounts."""
    query = select(Account.scope, *_COLUMNS).where(Account.scope.in_(scopes))
    return {row.scope: Balance(*row[1:]) for row in connection.execute(query)}


class CapBroken(Exception):
    """A reservation did not fit an account that was locked for it: a defect; nothing is kept."""


def reserve(connection: Connection, amounts: Mapping[str, int]) -> None:
    """Set money aside in all of these accounts at once, which `lock` has locked.

    The guard is in the update itself. Where one account refuses, CapBroken ends the transaction.
    """
    if not amounts:
        return
    amount = case(dict(amounts), value=Account.scope)
    claimed = Account.reserved_nusd + Account.spent_nusd + Account.at_risk_nusd + amount
    taken = connection.execute(
        update(Account)
        .where(Account.scope.in_(list(amounts)))
        .where((Account.cap_nusd.is_(None)) | (claimed <= Account.cap_nusd))
        .values(reserved_nusd=Account.reserved_nusd + amount)
    )
    if taken.rowcount != len(amounts):
        raise CapBroken(f"{taken.rowcount} of {len(amounts)} accounts took {dict(amounts)}")


def post(connection: Connection, postings: Mapping[str, Posting]) -> None:
    """Book closed attempts, summed by scope; in the order of scopes, so that none deadlock."""
    if not postings:
        return
    statement = (
        update(Account)
        .where(Account.scope == bindparam("of"))
        .values(
            reserved_nusd=Account.reserved_nusd - bindparam("released"),
            spent_nusd=Account.spent_nusd + bindparam("charged"),
            at_risk_nusd=Account.at_risk_nusd + bindparam("risked"),
        )
    )
    connection.execute(
        statement,
        [
            {
                "of": scope,
                "released": posting.released_nusd,
                "charged": posting.charged_nusd,
                "risked": posting.at_risk_nusd,
            }
            for scope, posting in sorted(postings.items())
        ],
    )


def set_cap(connection: Connection, scope: str, cap_nusd: int | None) -> None:
    """Change what may be spent; what is spent already stays."""
    connection.execute(update(Account).where(Account.scope == scope).values(cap_nusd=cap_nusd))
