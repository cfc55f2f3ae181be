"""Which workers live, and what becomes of the attempts of those that do not."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from darkroom import db
from darkroom.jobs.close import Closing, close
from darkroom.models import Attempt, AttemptState, Worker
from darkroom.settings import Rules
from darkroom_manifests.tier import Tier

_MOST_AT_ONCE = 500


def register(
    connection: Connection, worker_id: str, tiers: Sequence[Tier], lease_seconds: float
) -> None:
    """Write down a worker that begins."""
    now = db.now(connection)
    connection.execute(
        insert(Worker).values(
            id=worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            tiers=",".join(tiers),
            started_at=now,
            lease_until=now + timedelta(seconds=lease_seconds),
        )
    )


def renew(connection: Connection, worker_id: str, lease_seconds: float) -> bool:
    """Say that a worker lives; by the database's clock. False if it was written down as gone.

    A lease that ran out is renewed all the same: what the worker had open may be lost by now, but
    its fences are, too, so it can go on.
    """
    until = db.now(connection) + timedelta(seconds=lease_seconds)
    mine = update(Worker).where(Worker.id == worker_id, Worker.ended_at.is_(None))
    return bool(connection.execute(mine.values(lease_until=until)).rowcount)


def is_live(connection: Connection, worker_id: str, now: datetime) -> bool:
    """Whether a worker may take work: nobody can have given up what it takes now."""
    mine = select(Worker.id).where(Worker.id == worker_id)
    return connection.scalar(mine.where(Worker.lease_until > now)) is not None


def drain(connection: Connection, worker_id: str) -> None:
    """Write down that a worker was told to end: it finishes what it has, and takes nothing."""
    connection.execute(
        update(Worker)
        .where(Worker.id == worker_id, Worker.draining_at.is_(None))
        .values(draining_at=db.now(connection))
    )


def end(connection: Connection, worker_id: str) -> None:
    """Write down that a worker is gone, by its own word or because its lock was found free."""
    now = db.now(connection)
    connection.execute(
        update(Worker)
        .where(Worker.id == worker_id, Worker.ended_at.is_(None))
        .values(ended_at=now, lease_until=now)
    )


def take_over(connection: Connection, attempt_ids: Sequence[str], worker_id: str) -> None:
    """Put open attempts of a dead worker, whose answers were found, under a living one's lease.

    What travels in a batch stays the batch's: its answers lie at the provider, too.
    """
    connection.execute(
        update(Attempt)
        .where(Attempt.id.in_(attempt_ids), Attempt.state == AttemptState.SENT)
        .where(Attempt.batch_id.is_(None))
        .values(worker_id=worker_id)
    )


def bury(connection: Connection, rules: Rules) -> int:
    """Mark as lost what dead workers left open, a few hundred at a time; how many it was.

    An answer that lies in a dead worker's spool must be taken over before this runs.
    """
    now = db.now(connection)
    orphans = connection.scalars(
        select(Attempt.id)
        .join(Worker, Worker.id == Attempt.worker_id)
        .where(Attempt.state == AttemptState.SENT, Worker.lease_until < now)
        .limit(_MOST_AT_ONCE)
    ).all()
    message = "The worker died before the answer was kept; it may have been billed."
    lost = [Closing(attempt_id=i, ended=AttemptState.LOST, message=message) for i in orphans]
    return len(close(connection, lost, rules, {}).steps)
