"""Carries provider batches from claim to books, one step after the other.

Each step ends in the books before the next begins, and nothing is asked of a provider that was not
written down before. Whoever finds a batch that nobody carries any more goes on from its state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom.errors import DarkroomError
from darkroom.jobs import batches
from darkroom.jobs.batches import NotCarried
from darkroom.models import Batch, BatchState
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_batch_backend
from darkroom_worker.backends.base import Unavailable
from darkroom_worker.backends.batch import BatchBackend, Doubt, NotDone, Remote
from darkroom_worker.brake import Brake
from darkroom_worker.collector import Desk
from darkroom_worker.creating import Creating
from darkroom_worker.developer import Developer
from darkroom_worker.gathering import Gathering
from darkroom_worker.harvest import Harvest, told
from darkroom_worker.hedge import Hedge
from darkroom_worker.lease import Lease
from darkroom_worker.logbook import Logbook
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool

_log = structlog.get_logger(__name__)

_AGAIN_SECONDS: Final = 5.0  # first pause after a provider, the books or the storage failed
_LONGEST_PAUSE: Final = 300.0
_AWAY: Final = (NotDone, Doubt, DarkroomError, DBAPIError, OSError)

Step = Callable[[Batch, BatchBackend], None]


class Carrier:
    """The batches of one process. `develop` may be called from any thread; one a tier works."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker_id: str,
        lease: Lease,
        database: Engine,
        developer: Developer,
        settler: Settler,
        spool: Spool,
        desk: Desk,
        ring: Callable[[Sequence[Tier]], None],
    ) -> None:
        self._settings = settings
        self._own = settings.batches
        self._worker_id = worker_id
        self._lease = lease
        self._database = database
        self._developer = developer
        self._settler = settler
        self._desk = desk
        self._ring = ring
        self._draining = threading.Event()
        self._logbook = Logbook(database, worker_id, self._own.lease_seconds, settings.rules)
        self._brake = Brake(self._logbook, settler)
        self._hedge = Hedge(settings, database, developer.registry)
        self._gathering = Gathering(settings, worker_id, database, developer, self._hedge)
        self._creating = Creating(settings, lease, database, developer, self._logbook, self._brake)
        self._harvest = Harvest(
            settings=settings,
            database=database,
            developer=developer,
            logbook=self._logbook,
            brake=self._brake,
            hedge=self._hedge,
            spool=spool,
            desk=desk,
            is_draining=self._draining.is_set,
        )
        self._taking = {tier: threading.Lock() for tier in Tier}
        self._backends: dict[Tier, BatchBackend] = {}
        self._steps: dict[str, Step] = {
            BatchState.BUILDING: self._build,
            BatchState.CREATING: self._creating.seek,
            BatchState.RUNNING: self._look,
            BatchState.COLLECTING: self._harvest.collect,
            BatchState.MISSING: self._creating.watch_for,
        }

    def develop(self, tier: Tier) -> None:
        """Take due steps of a tier for a minute at most; another call meanwhile does nothing."""
        if not self._taking[tier].acquire(blocking=False):
            return
        try:
            if self._take_steps(tier):
                self._ring([tier])
        except (DBAPIError, NotCarried) as error:
            _log.warning("batches cannot be looked at", tier=tier, error=error)
        finally:
            self._taking[tier].release()

    def stop(self) -> None:
        """Begin nothing new; what is being read is put down between two lines."""
        self._draining.set()

    def come_home(self, seconds: float) -> bool:
        """Wait for the steps under way after `stop`; False when time ran out before."""
        ends = time.monotonic() + seconds
        for lock in self._taking.values():
            if not lock.acquire(timeout=max(0.0, ends - time.monotonic())):
                return False
            lock.release()
        for backend in self._backends.values():
            backend.close()
        return True

    def _take_steps(self, tier: Tier) -> bool:
        """Go on while anything is due; True when time was up before it."""
        backend = self._backend(tier)
        if backend is None:
            return False
        ends = time.monotonic() + self._settings.worker.take_seconds
        while not self._draining.is_set() and self._lease.is_live:
            if time.monotonic() >= ends:
                return True
            batch = self._next(tier)
            if batch is None:
                return False
            self._step(batch, backend)
        return False

    def _next(self, tier: Tier) -> Batch | None:
        """A batch that is due, else a new one."""
        me, seconds = self._worker_id, self._own.lease_seconds
        due = self._logbook.write(lambda c: batches.take_due(c, tier, me, seconds))
        if due is not None or self._desk.is_full():
            return due
        return self._gathering.begin(tier)

    def _step(self, batch: Batch, backend: BatchBackend) -> None:
        """Take one step, whatever happens: a batch that fails must not hold up the others."""
        try:
            self._steps[batch.state](batch, backend)
        except NotCarried:
            _log.warning("a batch is carried by somebody else", batch=batch.id)
        except _AWAY as error:
            _log.warning("a batch must wait", batch=batch.id, state=batch.state, error=error)
            if isinstance(error, NotDone):
                self._brake.held_up(batch, error.outcome)
            pause = min(_LONGEST_PAUSE, _AGAIN_SECONDS * 2 ** min(batch.looks, 10))
            self._logbook.put_down(batch, pause)
        except Exception:  # noqa: BLE001  # a defect must not hold up the other batches
            _log.exception("a batch cannot go on", batch=batch.id, state=batch.state)
            self._logbook.put_down(batch, _LONGEST_PAUSE)

    def _build(self, batch: Batch, backend: BatchBackend) -> None:
        """Ask for a batch, unless it waited so long for that that it would come too late."""
        why = self._hedge.overdue(batch)
        if why is not None and batch.cancelled_at is None:
            self._logbook.write(lambda c: batches.ask_to_cancel(c, [batch.id], why))
            batch = self._logbook.read(lambda c: batches.find(c, batch.id))
        self._creating.build(batch, backend)
        if batch.cancelled_at is not None:
            self._hedge.move(batch)

    def _look(self, batch: Batch, backend: BatchBackend) -> None:
        """See how a batch stands at its provider."""
        remote = backend.look(batch.provider_name or "")
        if remote is None:
            self._harvest.vanished(batch)
        elif remote.phase.is_over:
            self._logbook.enter(batch, BatchState.COLLECTING, **told(remote))
            self._logbook.put_down(batch, 0)
        else:
            self._logbook.change(batch, **told(remote))
            self._wait_on(batch, backend, remote)

    def _wait_on(self, batch: Batch, backend: BatchBackend, remote: Remote) -> None:
        """Leave a batch to its provider for a while, or cancel it if it will come too late."""
        is_cancelled = batch.cancelled_at is not None
        if not is_cancelled and (why := self._hedge.reason(batch, remote)) is not None:
            _log.warning("a batch is cancelled", batch=batch.id, why=why)
            self._logbook.write(lambda c: batches.ask_to_cancel(c, [batch.id], why))
            is_cancelled = True
        own = self._settings.batching(Tier(batch.tier))
        if is_cancelled:
            backend.cancel(remote.name)
            self._logbook.put_down(batch, own.poll_interval)
            return
        pause = min(own.poll_interval * 2 ** min(batch.looks, 10), own.poll_longest)
        self._logbook.put_down(batch, self._hedge.look_within(batch, pause))

    def _backend(self, tier: Tier) -> BatchBackend | None:
        if tier not in self._backends:
            try:
                self._backends[tier] = open_batch_backend(tier, self._settings)
            except Unavailable as error:
                self._settler.rest(tier, "", error.rest)
                return None
        return self._backends[tier]
