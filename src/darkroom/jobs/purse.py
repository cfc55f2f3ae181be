"""What the accounts of one claim still allow, and which of them stops a job for good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Self

from sqlalchemy import Connection

from darkroom import ledger
from darkroom.db import AnyRow
from darkroom.models import Account
from darkroom.settings import Budget
from darkroom_manifests.tier import Tier


class Stop(StrEnum):
    """Whose cap is met, with nothing in flight that could free any of it."""

    JOB = "job"
    EVERYTHING = "everything"
    DAY = "day"


class Purse:
    """The locked accounts of a claim. It counts what is taken; `reserve` books that."""

    def __init__(self, accounts: Mapping[str, ledger.Balance], tier: Tier, now: datetime) -> None:
        self._accounts = accounts
        self._tier = tier
        self._now = now
        self._taken: Counter[str] = Counter()
        self._refused: dict[str, int] = {}

    @classmethod
    def locked(
        cls,
        connection: Connection,
        job_ids: Sequence[str],
        tier: Tier,
        now: datetime,
        budget: Budget,
    ) -> Self:
        """Lock the accounts of jobs, and above them those of the day and of everything."""
        caps = {} if tier.is_simulated else ledger.caps_of(budget, now)
        return cls(ledger.lock(connection, job_ids, caps), tier, now)

    def first_within(self, job_id: str, due: Sequence[AnyRow]) -> list[AnyRow]:
        """Take the first of these renders, in order, for as long as every account covers them."""
        scopes = ledger.scopes_of(job_id, self._tier, self._now)
        rooms = [room for scope in scopes if (room := self._room(scope)) is not None]
        room = min(rooms, default=None)
        total, kept = 0, []
        for render in due:
            if room is not None and total + render.reserve_nusd > room:
                self._refused[job_id] = render.reserve_nusd
                break
            total += render.reserve_nusd
            kept.append(render)
        if kept:
            self._taken.update(dict.fromkeys(scopes, total))
        return kept

    def _room(self, scope: str) -> int | None:
        room = self._accounts[scope].room_nusd
        return None if room is None else room - self._taken[scope]

    def reserve(self, connection: Connection) -> None:
        """Book all that was taken."""
        ledger.reserve(connection, self._taken)

    def stops(self) -> dict[str, Stop]:
        """The jobs that wait for no answer in flight: a cap must be raised, or the day must end."""
        found = {job_id: self._stop(job_id, amount) for job_id, amount in self._refused.items()}
        return {job_id: stop for job_id, stop in found.items() if stop is not None}

    def _stop(self, job_id: str, amount: int) -> Stop | None:
        scopes = {
            Stop.JOB: Account.scope_of(job_id),
            Stop.EVERYTHING: ledger.ALL,
            Stop.DAY: Account.scope_of_day(self._now),
        }
        for stop, scope in scopes.items():
            if scope in self._accounts and self._is_stuck(scope, amount):
                return stop
        return None

    def _is_stuck(self, scope: str, amount: int) -> bool:
        room = self._room(scope)
        is_flying = self._accounts[scope].reserved_nusd or self._taken[scope]
        return room is not None and amount > room and not is_flying
