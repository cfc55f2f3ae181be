"""Looks for what happened and nobody was told of. Any number may: each event is written once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.event import EventName
from darkroom.notices import budgets, jobs, outbox, runs
from darkroom.notices.outbox import Happening
from darkroom.settings import Notices

_FIRST: Final = timedelta(minutes=10)
"""How old things may be that are told when Darkroom looks for the first time of all."""

_SLOW: Final = timedelta(minutes=6)
"""A transaction that sets a time may commit so much later; the database ends longer ones."""


class Lookout:
    """One who looks again and again; after its first look, only at what is new."""

    def __init__(
        self, database: Engine, rules: Notices, targets: Mapping[str, frozenset[EventName]]
    ) -> None:
        self._database = database
        self._rules = rules
        self._targets = targets
        self._looked: datetime | None = None

    def look(self) -> int:
        """Look once, and write down what is new; how many events it was."""
        with db.reading(self._database) as connection:
            now = db.now(connection)
        since = self._first() if self._looked is None else self._looked - _SLOW
        with db.reading(self._database) as connection:
            found = self._found(connection, since, now)
        written = db.transact(self._database, lambda c: self._write(c, found)) if found else 0
        self._looked = now
        return written

    def _first(self) -> datetime:
        began = db.transact(self._database, outbox.began)
        return began - _FIRST

    def _found(self, connection: Connection, since: datetime, now: datetime) -> list[Happening]:
        long_ago = now - timedelta(seconds=self._rules.look_back_seconds)
        since = max(since, long_ago)
        return [
            *jobs.ended(connection, since, self._rules.failed_above),
            *jobs.held(connection, long_ago),
            *budgets.nearly_spent(connection, since),
            *runs.missed(connection, since),
            *runs.over(connection, since),
        ]

    def _write(self, connection: Connection, found: list[Happening]) -> int:
        return sum(outbox.write(connection, each, self._targets) for each in found)
