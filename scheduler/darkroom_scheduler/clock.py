"""Rings again for whatever is due, and buries what dead workers left open.

Bells get lost: SQL knows what is due, so ringing again is all the repair there is. Any number of
clocks may tick at once; every tick is harmless.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.fallback import Fallback
from darkroom.heartbeat import Heartbeat
from darkroom.jobs import batches, edits, leases, load, signatures
from darkroom.jobs.claim import tiers_with_work
from darkroom.queue import ring
from darkroom.settings import Rules

_log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 1.0
_TICKS_A_SWEEP: Final = 15
_TICKS_AN_AIRING: Final = 3_600


class Clock:
    """Ticks until it is stopped; each good tick is a beat of its heart."""

    def __init__(
        self,
        database: Engine,
        queue: Celery,
        rules: Rules,
        heart: Heartbeat,
        fallback: Fallback | None = None,
    ) -> None:
        self._database = database
        self._queue = queue
        self._heart = heart
        self._rules = rules
        self._fallback = fallback
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End `run` after the tick that it is in."""
        self._stopped.set()

    def run(self) -> None:
        """Tick every second, sweep every quarter of a minute, and air every hour."""
        ticks, aired = 0, None
        while not self._stopped.is_set():
            try:
                self.ring()
                if ticks % _TICKS_A_SWEEP == 0:
                    self.sweep()
                if ticks % _TICKS_AN_AIRING == 0 or aired is not None:
                    aired = self.air(-1 if aired is None else aired)
                self._heart.beat()
            except (DBAPIError, OperationalError, RedisError) as error:
                _log.warning("a tick failed", error=error)
            ticks += 1
            self._stopped.wait(_TICK_SECONDS)
        self._heart.stop()

    def ring(self) -> None:
        """Ring for every tier that has work due, or a batch to be looked at."""
        with db.reading(self._database) as connection:
            tiers = {*tiers_with_work(connection), *batches.tiers_with_due_batches(connection)}
        ring(self._queue, sorted(tiers))

    def sweep(self) -> int:
        """Give up the attempts of workers whose lease ran out; how many it was."""
        lost = db.transact(self._database, lambda connection: leases.bury(connection, self._rules))
        if lost:
            _log.warning("answers of dead workers are lost", how_many=lost)
        db.transact(self._database, load.discard_abandoned)
        db.transact(self._database, edits.sweep)
        if self._fallback is not None:
            self._fall_back(self._fallback)
        return lost

    def air(self, after: int) -> int | None:
        """Remove some of what nothing needs any more; where to go on with the next tick."""
        forget = partial(signatures.forget, days=self._rules.signature_days, after=after)
        return db.transact(self._database, forget)

    def _fall_back(self, fallback: Fallback) -> None:
        for moved in db.transact(self._database, fallback.look):
            told = {"job": moved.job_id, "to": moved.instead, "renders": moved.renders}
            _log.warning("work goes on elsewhere", tier=moved.tier, why=moved.reason, **told)
