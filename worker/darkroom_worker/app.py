"""One worker process, as a parts list."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from darkroom import db, hindsight
from darkroom.ids import new_id
from darkroom.price_list import registry_of
from darkroom.queue import open_queue, ring
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.carrier import Carrier
from darkroom_worker.collector import Desk
from darkroom_worker.developer import Developer
from darkroom_worker.engine import Drained, Engine
from darkroom_worker.lease import Lease
from darkroom_worker.limits import Limiter, open_redis
from darkroom_worker.publish import Publisher
from darkroom_worker.pulse import Pulse
from darkroom_worker.recovery import recover
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool
from darkroom_worker.watchers import open_telemetry

_log = structlog.get_logger(__name__)

_BEATS_A_LEASE: Final = 4
_PARTING_SECONDS: Final = 1.0


class Studio:
    """Everything that a process renders with. `open` it, `close` it; in between it is alive."""

    def __init__(self, settings: Settings, tiers: Sequence[Tier]) -> None:
        assert settings.broker_url is not None, "a worker needs a broker"
        broker, work = settings.broker_url, settings.worker
        self.settings = settings
        self.tiers = tiers
        self.worker_id = new_id("wrk")
        self.queue: Celery = open_queue(broker)
        self.database = db.open_engine(settings.sql_url)
        self.spool = Spool.open(settings.home, self.worker_id)
        self.telemetry = open_telemetry(settings, self.worker_id)
        self.publisher = Publisher(settings.gcs)
        self.settler = Settler(self.database, settings.rules, self.publisher)
        self.developer = Developer(settings, registry_of(settings))
        self.lease = Lease(self.database, self.worker_id, work.lease_seconds)
        self.engine = Engine(
            settings=settings,
            worker_id=self.worker_id,
            lease=self.lease,
            database=self.database,
            limiter=lambda: Limiter(open_redis(broker), self.worker_id),
            developer=self.developer,
            settler=self.settler,
            publisher=self.publisher,
            spool=self.spool,
            telemetry=self.telemetry,
            ring=self.ring,
        )
        self.carrier = Carrier(
            settings=settings,
            worker_id=self.worker_id,
            lease=self.lease,
            database=self.database,
            developer=self.developer,
            settler=self.settler,
            spool=self.spool,
            desk=Desk(self.engine.take_in, lambda: self.engine.is_full),
            ring=self.ring,
        )
        # Apart from each other: what a dead worker left may take long to put in its place.
        self._heart = Pulse("heart", work.lease_seconds / _BEATS_A_LEASE, self._renew)
        self._rescuer = Pulse("rescuer", work.lease_seconds / _BEATS_A_LEASE, self._recover)
        self._hindsight = Pulse("hindsight", work.lease_seconds / _BEATS_A_LEASE, self._look_back)

    def open(self) -> None:
        """Register, start, and take over what dead workers left. Raises DatabaseOutdated."""
        db.require_head(self.database)
        self.lease.begin(self.tiers)
        self.engine.start()
        self._heart.start()
        self._rescuer.beat()
        self._rescuer.start()
        self._hindsight.start()
        _log.info("the worker is ready", worker=self.worker_id, tiers=list(self.tiers))

    def develop(self, tier: Tier) -> None:
        """Take due work of a tier, one way or the other, for a minute at most."""
        (self.carrier if tier.is_batch else self.engine).develop(tier)

    def may_begin(self) -> bool:
        """Look back before the first bell is heard; False when books or broker do not answer."""
        return self._hindsight.beat()

    def ring(self, tiers: Sequence[Tier]) -> None:
        """Say that there is more work; a broker that is away will be told by the clock."""
        try:
            ring(self.queue, tiers)
        except OperationalError as error:
            _log.warning("the broker is away", error=error)

    def leave(self) -> Future[Drained]:
        """Take nothing more; done when what is in flight is home, or time is over."""
        self.lease.drain()
        self._heart.soon()
        self.carrier.stop()
        return self.engine.drain(self.settings.worker.grace_seconds)

    def hurry(self) -> None:
        """Give back what has not been sent, and wait for the rest only a moment."""
        self.engine.hurry(self.settings.worker.hurry_seconds)

    def close(self, drained: Drained) -> bool:
        """Let go of everything; False when answers were given up or are left to others."""
        self._hindsight.stop(_PARTING_SECONDS)
        self._hindsight.beat()  # the broker is to remember also what was sent last
        self._rescuer.stop(_PARTING_SECONDS)
        self.carrier.come_home(_PARTING_SECONDS)
        self._heart.stop(_PARTING_SECONDS)
        settled = drained.is_settled and self.spool.is_empty and self._end()
        self.telemetry.close()
        if settled:  # else the lock goes with the process: a thread may still write
            self.spool.close(remove=True)
        self.database.dispose()
        return settled and not drained.given_up

    def _end(self) -> bool:
        try:
            self.lease.end()
        except SQLAlchemyError as error:
            _log.warning("the end was not written down", error=str(error).partition("\n")[0])
            return False
        return True

    def _renew(self) -> None:
        """Say that this process lives; one that was taken for dead cannot go on as it is."""
        if not self.lease.renew():
            _log.error("this worker's spool was taken over; it ends")
            os.kill(os.getpid(), signal.SIGTERM)

    def _look_back(self) -> None:
        """See to it that nothing is sent by books that came from a backup."""
        assert self.settings.broker_url is not None
        if not hindsight.look(self.database, self.settings.broker_url):
            _log.error(
                "these books are older than what was sent: nothing is taken",
                hint="darkroom audit --before-send",
            )

    def _recover(self) -> None:
        """Take over what dead workers of this machine left; not any more when this one leaves."""
        if not self.engine.is_draining:
            home, rules = self.settings.home, self.settings.rules
            for closing in recover(home, self.database, self.spool, self.developer, rules):
                self.engine.take_in([closing])
