"""Keeps batches that fail as a whole from being sent again and again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, func, select

from darkroom.jobs import batches
from darkroom.models import Batch, BatchState
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Break, Outcome
from darkroom_worker.backends.batch import Phase, Remote
from darkroom_worker.logbook import Logbook
from darkroom_worker.settle import Settler

_FIRST_REST: Final = 60.0
_FAILURES: Final = 3  # whole batches of a job and model, until a person must look
_HINT: Final = "Look at `darkroom batch show`, mend it, then `darkroom tier resume`."


class Brake:
    """Lets a model rest on its tier after batches that brought nothing."""

    def __init__(self, logbook: Logbook, settler: Settler) -> None:
        self._logbook = logbook
        self._settler = settler

    def held_up(self, batch: Batch, outcome: Outcome) -> None:
        """A call about a batch failed: where the provider says who should rest, they do."""
        if outcome.rest is not None:
            self._settler.rest(Tier(batch.tier), batch.model, outcome.rest)

    def refused(self, batch: Batch, outcome: Outcome) -> None:
        """A batch was refused as such: nobody else is asked the same until a person looked."""
        said = f"batch refused: {outcome.message}"
        rest = outcome.rest or Break(whole_tier=False, seconds=None, reason=said, hint=_HINT)
        self._settler.rest(Tier(batch.tier), batch.model, rest)

    def collected(self, batch: Batch, remote: Remote, answered: int) -> None:
        """A batch ended: one that failed without a single line makes its model rest."""
        if remote.phase is not Phase.FAILED or answered:
            return
        failures = 1 + self._logbook.read(lambda c: _failures_before(c, batch))
        seconds = _FIRST_REST * 4 ** (failures - 1) if failures < _FAILURES else None
        said = f"a batch failed as a whole: {remote.message or remote.said}"
        rest = Break(whole_tier=False, seconds=seconds, reason=said, hint=_HINT)
        self._settler.rest(Tier(batch.tier), batch.model, rest)


def _failures_before(connection: Connection, batch: Batch) -> int:
    query = select(func.count()).where(
        Batch.job_id == batch.job_id,
        Batch.tier == batch.tier,
        Batch.model == batch.model,
        Batch.id != batch.id,
        Batch.state == BatchState.ENDED,
        Batch.delivered == 0,
        Batch.cancelled_at.is_(None),
        Batch.submitted_at.is_not(None),
        Batch.submitted_at > batches.lately(connection),
    )
    return connection.scalar(query) or 0
