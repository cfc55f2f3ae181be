"""The right to take work and to send it: as long as the books can know that this process lives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs import leases
from darkroom_manifests.tier import Tier

# Goes on while the machine is suspended, as the lease in the database does.
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """A worker's own view of its lease: never longer than what the database believes.

    The claim is guarded in SQL as well. What is looked at here, without asking anybody, keeps a
    process that was stopped for long from sending what has been given up meanwhile.
    """

    def __init__(self, database: Engine, worker_id: str, seconds: float) -> None:
        self._database = database
        self._worker_id = worker_id
        self._seconds = seconds
        self._until = 0.0
        self._is_draining = False

    def begin(self, tiers: Sequence[Tier]) -> None:
        """Register the worker."""
        began = time.clock_gettime(_CLOCK)
        with db.writing(self._database) as connection:
            leases.register(connection, self._worker_id, tiers, self._seconds)
        self._until = began + self._seconds

    def renew(self) -> bool:
        """Say that the worker lives, and whether it is leaving.

        False when somebody found its spool unlocked and took it over: it cannot go on under its
        name.
        """
        began = time.clock_gettime(_CLOCK)
        with db.writing(self._database) as connection:
            renewed = leases.renew(connection, self._worker_id, self._seconds)
            if self._is_draining:
                leases.drain(connection, self._worker_id)
        self._until = began + self._seconds if renewed else 0.0
        return renewed

    def drain(self) -> None:
        """Let the next renewal tell that the worker is leaving."""
        self._is_draining = True

    def end(self) -> None:
        """Write down that the worker is gone: what it left open belongs to others."""
        with db.writing(self._database) as connection:
            leases.end(connection, self._worker_id)

    @property
    def is_live(self) -> bool:
        """Whether nobody can have taken this worker for dead yet."""
        return time.clock_gettime(_CLOCK) < self._until
