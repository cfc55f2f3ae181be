"""The last steps of batches: what a provider drew is taken in, and its copies are deleted.

A batch that it does not know any more ends here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom.errors import DarkroomError
from darkroom.killpoints import Point, reach
from darkroom.models import AttemptState, Batch, BatchState
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.batch import BatchBackend, Doubt, Kept, NotDone, Remote
from darkroom_worker.brake import Brake
from darkroom_worker.collector import Collection, Collector, Desk
from darkroom_worker.developer import Developer
from darkroom_worker.hedge import Hedge
from darkroom_worker.logbook import Logbook
from darkroom_worker.spool import Spool

_log = structlog.get_logger(__name__)

_VANISHED_LOOKS: Final = 4  # looks in a row at a batch that the provider does not know
_HANDS: Final = 4  # threads that stage pictures: each waits for the disk
_UNKNOWN: Final = "not known"
_LATE_LOOKS: Final = 4  # looks at results that hold fewer lines than the provider counts
_AWAY: Final = (NotDone, Doubt, DarkroomError, DBAPIError, OSError)


class Harvest:
    """Takes in the results of one worker's batches."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Engine,
        developer: Developer,
        logbook: Logbook,
        brake: Brake,
        hedge: Hedge,
        spool: Spool,
        desk: Desk,
        is_draining: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._database = database
        self._developer = developer
        self._logbook = logbook
        self._brake = brake
        self._hedge = hedge
        self._spool = spool
        self._desk = desk
        self._is_draining = is_draining
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="harvest")

    def vanished(self, batch: Batch) -> None:
        """The provider does not know a batch: perhaps for a moment, perhaps for good."""
        if batch.provider_state != _UNKNOWN:
            self._logbook.change(batch, provider_state=_UNKNOWN, looks=0)
        if batch.provider_state != _UNKNOWN or batch.looks < _VANISHED_LOOKS:
            own = self._settings.batching(Tier(batch.tier))
            self._logbook.put_down(batch, own.poll_interval)
            return
        said = "The provider does not know the batch any more; it may have been billed."
        self._logbook.end(batch, AttemptState.LOST, said)

    def collect(self, batch: Batch, backend: BatchBackend) -> None:
        """Take the results in, then let go of the batch."""
        remote = backend.look(batch.provider_name or "")
        if remote is None:
            self.vanished(batch)
            return
        if not batch.delivered:  # else they were read to the end, and may be deleted already
            found = self._collected(batch, backend, remote)
            if found is None:
                own = self._settings.batching(Tier(batch.tier))
                self._logbook.put_down(batch, own.poll_interval)
                return
            reach(Point.COLLECTED, ())
            counts = {"delivered": found.lines, "quarantined": found.quarantined}
            self._logbook.change(batch, **counts, **told(remote))
            self._brake.collected(batch, remote, len(found.answered))
        self._hedge.move(batch)
        self._tidied(batch, backend, remote)
        self._logbook.enter(batch, BatchState.ENDED)

    def _collected(self, batch: Batch, backend: BatchBackend, remote: Remote) -> Collection | None:
        def go_on() -> bool:
            self._logbook.carry_on(batch)
            return not self._is_draining()

        collector = Collector(
            batch=batch,
            backend=backend,
            database=self._database,
            developer=self._developer,
            spool=self._spool,
            rules=self._settings.rules,
            desk=self._desk,
            hands=self._hands,
            go_on=go_on,
        )
        return collector.collect(remote, may_be_late=batch.looks < _LATE_LOOKS)

    @staticmethod
    def _tidied(batch: Batch, backend: BatchBackend, remote: Remote) -> None:
        """Delete what is not needed any more; what stays costs a little, and expires."""
        try:
            backend.tidy(Kept(batch.id, batch.input_uri, remote.results))
        except _AWAY as error:
            _log.warning("files of a batch stay at the provider", batch=batch.id, error=error)


def told(remote: Remote) -> dict[str, object]:
    """What the books keep of a provider's word."""
    return {
        "provider_state": remote.said,
        "succeeded": remote.succeeded,
        "failed": remote.failed,
        "message": remote.message,
    }
