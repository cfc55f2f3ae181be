"""From claimed renders to a batch that has a name at its provider, without a second one.

No API takes a key for a batch. So its own id is its display name, and its creation is written down
before it is asked for: after any doubt it is looked for by that name, and adopted.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine

from darkroom.jobs import batches
from darkroom.killpoints import Point, reach
from darkroom.models import AttemptState, Batch, BatchState
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.batch import BatchBackend, Doubt, Input, NotDone, Remote
from darkroom_worker.batch_input import write_input
from darkroom_worker.brake import Brake
from darkroom_worker.developer import Developer
from darkroom_worker.lease import Lease
from darkroom_worker.logbook import Logbook

_log = structlog.get_logger(__name__)

_MAY_NOT_SECONDS: Final = 5.0  # until a tier that rests is looked at again
_FIRST_SECONDS: Final = 5.0  # pause after a creation that failed for sure; doubles
_LONGEST_PAUSE: Final = 300.0
_FORGET_SECONDS: Final = 48 * 3600.0  # how long a missing batch is looked for: no API keeps longer
_WATCH_SECONDS: Final = 600.0
_SAID_TO_HAVE_FAILED: Final = "said to have failed"
_SHARE_AFTER_FAILURE: Final = 0.5  # of the time that a batch in doubt is looked for
_FIRST_LOOK: Final = 1 / 3  # of the polling interval


class Creating:
    """The first steps of batches."""

    def __init__(
        self,
        settings: Settings,
        lease: Lease,
        database: Engine,
        developer: Developer,
        logbook: Logbook,
        brake: Brake,
    ) -> None:
        self._batching = settings.batching
        self._folder = settings.home / "batches"
        self._lease = lease
        self._database = database
        self._developer = developer
        self._logbook = logbook
        self._brake = brake

    def build(self, batch: Batch, backend: BatchBackend) -> None:
        """Write and upload the input, then ask for the batch, which may be there already, once."""
        if batch.asked_at is not None and (found := backend.find(batch.id)):
            self._adopt_first(batch, backend, found)
            return
        if batch.cancelled_at is not None:
            said = batch.cancel_reason or "cancelled"
            self._logbook.end(batch, AttemptState.NOT_SENT, said)
            return
        if not self._logbook.read(lambda c: batches.may_send(c, batch)):
            self._logbook.put_down(batch, _MAY_NOT_SECONDS)
            return
        file = self._folder / f"{batch.id}.jsonl"
        try:
            self._ask(batch, backend, file)
        finally:
            file.unlink(missing_ok=True)

    def _ask(self, batch: Batch, backend: BatchBackend, file: Path) -> None:
        attempt_ids = self._logbook.read(lambda c: batches.open_attempts(c, batch.id))
        write_input(file, attempt_ids, self._database, self._developer, backend)
        self._logbook.carry_on(batch)
        uri = backend.upload(batch.id, file)
        reach(Point.UPLOADED, ())
        if not self._logbook.ask(batch, uri):
            self._logbook.put_down(batch, _MAY_NOT_SECONDS)
            return
        reach(Point.ASKING, ())
        # One that was stopped for long must not ask for what has been given up meanwhile.
        if self._lease.is_live:
            self._create(batch, backend, uri, file)

    def _create(self, batch: Batch, backend: BatchBackend, uri: str, file: Path) -> None:
        try:
            remote = backend.create(batch.id, batch.model, Input(uri, file))
        except Doubt as error:
            _log.warning("a batch was perhaps created", batch=batch.id, error=error)
            own = self._batching(Tier(batch.tier))
            self._logbook.put_down(batch, own.poll_interval * _FIRST_LOOK)
        except NotDone as error:
            if (error.outcome.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._disown(batch, error.outcome)
            else:
                self._refused(batch, error.outcome)
        else:
            reach(Point.ASKED, ())
            self._adopt(batch, remote)

    def _disown(self, batch: Batch, outcome: Outcome) -> None:
        """The provider says that it failed: a batch may be there all the same, so it is looked for.

        It is asked for again, under the same name, sooner than where nothing was said.
        """
        _log.warning("a batch is said to have failed", batch=batch.id, error=outcome.message)
        own = self._batching(Tier(batch.tier))
        self._logbook.change(batch, provider_state=_SAID_TO_HAVE_FAILED, message=outcome.message)
        self._logbook.put_down(batch, own.poll_interval * _FIRST_LOOK)

    def _refused(self, batch: Batch, outcome: Outcome) -> None:
        """It was not created for sure: try again later, or give its renders back."""
        said = outcome.message or "the provider refused the batch"
        _log.warning("a batch was not created", batch=batch.id, error=said)
        if outcome.ended in (AttemptState.BUSY, AttemptState.NOT_SENT, AttemptState.TRANSIENT):
            self._logbook.enter(batch, BatchState.BUILDING, looks=batch.looks, message=said)
            pause = min(_LONGEST_PAUSE, _FIRST_SECONDS * 2 ** min(batch.looks, 10))
            self._logbook.put_down(batch, outcome.wait or pause)
            return
        self._brake.refused(batch, outcome)
        self._logbook.end(batch, AttemptState.NOT_SENT, said)

    def _adopt(self, batch: Batch, remote: Remote) -> None:
        told = {"provider_name": remote.name, "provider_state": remote.said}
        since = {"submitted_at": remote.created_at or batch.asked_at or batch.created_at}
        self._logbook.enter(batch, BatchState.RUNNING, **told, **since)
        reach(Point.NAMED, ())
        _log.info("a batch is at the provider", batch=batch.id, name=remote.name, tier=batch.tier)
        own = self._batching(Tier(batch.tier))
        self._logbook.put_down(batch, 0 if batch.cancelled_at else own.poll_interval)

    def seek(self, batch: Batch, backend: BatchBackend) -> None:
        """Look by its name for a batch that was perhaps created."""
        own = self._batching(Tier(batch.tier))
        found = backend.find(batch.id)
        if found:
            self._adopt_first(batch, backend, found)
        elif self._logbook.age(batch) < own.find_seconds:
            pause = own.poll_interval * _FIRST_LOOK * 2 ** min(batch.looks, 10)
            if self._is_disowned(batch, own.find_seconds):
                self._logbook.enter(batch, BatchState.BUILDING, provider_state=None)
                pause = 0.0
            self._logbook.put_down(batch, min(pause, own.find_seconds / 8, _LONGEST_PAUSE))
        else:
            self._miss(batch)

    def _is_disowned(self, batch: Batch, find_seconds: float) -> bool:
        """Whether it was said to have failed, and has been looked for long enough since."""
        has_failed = batch.provider_state == _SAID_TO_HAVE_FAILED
        return has_failed and self._logbook.age(batch) > find_seconds * _SHARE_AFTER_FAILURE

    def _adopt_first(self, batch: Batch, backend: BatchBackend, found: Sequence[Remote]) -> None:
        """Adopt the oldest; there should be no other, and each that there is costs money."""
        for other in found[1:]:
            _log.error("a batch exists twice; the later one is cancelled", name=other.name)
            backend.cancel(other.name)
        self._adopt(batch, found[0])

    def _miss(self, batch: Batch) -> None:
        """Nobody has heard of it: its attempts are lost, and it is still looked for."""
        said = "The batch was perhaps created, and never found; it may have been billed."
        _log.error("a batch is missing", batch=batch.id, tier=Tier(batch.tier), lines=batch.lines)
        self._logbook.give_up(batch, AttemptState.LOST, said)
        self._logbook.enter(batch, BatchState.MISSING, message=said)
        self._logbook.put_down(batch, _WATCH_SECONDS)

    def watch_for(self, batch: Batch, backend: BatchBackend) -> None:
        """Look for a batch that was given up; one that turns up is stopped, and its lines kept."""
        found = backend.find(batch.id)
        if found:
            _log.error("a batch that was given up exists; it is cancelled", batch=batch.id)
            for each in found:
                backend.cancel(each.name)
            self._adopt(batch, found[0])
            late = "it was found after it had been given up"
            self._logbook.write(lambda c: batches.ask_to_cancel(c, [batch.id], late))
        elif self._logbook.age(batch) > _FORGET_SECONDS:
            self._logbook.enter(batch, BatchState.ENDED)
        else:
            self._logbook.put_down(batch, _WATCH_SECONDS)
