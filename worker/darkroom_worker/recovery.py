"""Takes over what dead processes of this machine left in their spools, and gives up the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs import leases
from darkroom.jobs.claim import recall
from darkroom.jobs.close import Closing
from darkroom.settings import Rules
from darkroom_worker.developer import Developer
from darkroom_worker.spool import Spool

_log = structlog.get_logger(__name__)


def recover(
    home: Path, database: Engine, spool: Spool, developer: Developer, rules: Rules
) -> Iterator[Closing]:
    """Take over every spool whose process is gone; the answers, which lie in `spool` now.

    Each must be settled as it comes: a spool that fails later does not bring it again. They count
    as this process's own from here: their attempts stay open under its lease, however long it takes
    until they can be stored. What left no answer is lost.
    """
    owners = []
    for left in Spool.abandoned(home):
        answers = _take_over(left, database, spool, developer)
        owners.append(left.owner)
        _log.info("took over a dead worker", worker=left.owner, answers=len(answers))
        yield from answers
    lost = _bury(database, owners, rules) if owners else 0
    if lost:
        _log.warning("answers of dead workers are lost", how_many=lost)


def _take_over(left: Spool, database: Engine, spool: Spool, developer: Developer) -> list[Closing]:
    taken = False
    try:
        unnoted = _unnoted(database, left, developer)
        answers = {one.attempt_id: one for one in (*unnoted, *left.noted())}
        with db.writing(database) as connection:
            leases.take_over(connection, list(answers), spool.owner)
        spool.inherit(left, list(answers.values()))
        for stranger in left.unnoted(list(answers.values())):  # the books have never heard of it
            left.set_aside(stranger)
        taken = True
    finally:
        left.close(remove=taken)
    return list(answers.values())


def _bury(database: Engine, owners: Sequence[str], rules: Rules) -> int:
    """Give up what the dead left open. Their locks were free: no need to wait for their leases."""
    with db.writing(database) as connection:
        for owner in owners:
            leases.end(connection, owner)
    return db.transact(database, lambda connection: leases.bury(connection, rules))


def _unnoted(database: Engine, spool: Spool, developer: Developer) -> list[Closing]:
    attempt_ids = spool.unnoted(spool.noted())
    with db.reading(database) as connection:
        claims = recall(connection, attempt_ids)
    return [developer.recovered(claim, spool.path(claim.attempt_id)) for claim in claims]
