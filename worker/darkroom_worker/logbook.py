"""What a carrier writes of its batches: each entry a transaction, guarded by the lease on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.jobs import batches
from darkroom.jobs.batches import NotCarried
from darkroom.models import AttemptState, Batch, BatchState
from darkroom.settings import Rules
from darkroom_worker.collector import give_up

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_BEATS_A_LEASE = 4


class Logbook:
    """The books of one worker's batches. Every change may raise NotCarried or a DBAPIError."""

    def __init__(
        self, database: Engine, worker_id: str, lease_seconds: float, rules: Rules
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._rules = rules
        self._carried_at = 0.0

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something in a transaction."""
        return db.transact(self._database, work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Look something up."""
        with db.reading(self._database) as connection:
            return work(connection)

    def carry_on(self, batch: Batch) -> None:
        """Keep the lease on a batch, now and then."""
        now = time.monotonic()
        if now - self._carried_at < self._lease_seconds / _BEATS_A_LEASE:
            return
        self._carried_at = now
        seconds = self._lease_seconds
        self.write(lambda c: batches.carry_on(c, batch.id, self._worker_id, seconds))

    def change(self, batch: Batch, **values: object) -> None:
        """Change what is said of a batch."""
        self.write(lambda c: batches.change(c, batch.id, self._worker_id, **values))

    def enter(self, batch: Batch, state: BatchState, **values: object) -> None:
        """Move a batch to another state."""
        self.write(lambda c: batches.enter(c, batch.id, self._worker_id, state, **values))

    def put_down(self, batch: Batch, seconds: float) -> None:
        """Let go of a batch until it is time to look again; else its lease runs out by itself."""
        try:
            self.write(lambda c: batches.put_down(c, batch.id, self._worker_id, seconds))
        except (NotCarried, DBAPIError) as error:
            _log.warning("a batch was not put down", batch=batch.id, error=error)

    def ask(self, batch: Batch, input_uri: str) -> bool:
        """Write down that a batch is about to be asked for; False when it may not be any more."""

        def asked(connection: Connection) -> bool:
            if not batches.may_send(connection, batch):
                return False
            told = {"asked_at": db.now(connection), "input_uri": input_uri}
            batches.enter(connection, batch.id, self._worker_id, BatchState.CREATING, **told)
            return True

        return self.write(asked)

    def give_up(self, batch: Batch, ended: AttemptState, said: str) -> None:
        """Close all attempts of a batch that are open."""
        open_ones = self.read(lambda c: batches.open_attempts(c, batch.id))
        give_up(self._database, open_ones, ended, said, self._rules)

    def end(self, batch: Batch, ended: AttemptState, said: str) -> None:
        """Close all attempts and the batch itself."""
        self.give_up(batch, ended, said)
        self.enter(batch, BatchState.ENDED, message=said)

    def age(self, batch: Batch) -> float:
        """Seconds since a batch was asked for."""
        now = self.read(db.now)
        return (now - (batch.asked_at or batch.created_at)).total_seconds()
