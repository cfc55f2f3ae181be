"""Brings a job in: rows are streamed, and nothing of it can be claimed until all are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from darkroom import bulk, db, ledger
from darkroom.ids import new_id
from darkroom.jobs import edits, links
from darkroom.models import Account, Job, Link, Rejection, Render, RenderState
from darkroom_manifests.problem import Problem

_ABANDONED_AFTER: Final = timedelta(hours=6)
_SUBMITTING: Final = 0x6461726C  # of begin and finish; only one of them at a time


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is told at its birth.

    `cap_nusd` None means no cap. With `hold`, its renders are held for that reason.
    """

    name: str
    source: str | None = None
    manifest_sha256: str | None = None
    idempotency_key: str | None = None
    catalog: str | None = None
    deliver_by: datetime | None = None
    priority: int = 0
    cap_nusd: int | None = None
    output_path: str
    storage_url: str
    hold: str | None = None


class NewRender(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One image to be made, ready to be stored. `request` and `labels` are JSON."""

    row_no: int
    line: int
    row_id: str
    turn: int = 0
    edits: str | None = None
    variant: int
    n: int
    fingerprint: str
    tier: str
    model: str
    request: str
    labels: str | None
    output_path: str | None
    rank: int
    reserve_nusd: int
    max_cost_nusd: int | None


class Loaded(msgspec.Struct, frozen=True):
    """What was streamed in. `likely_nusd` is the estimate of all renders together.

    `shared` pictures are made by renders of other rows of the job; `edits` renders change the
    picture of another.
    """

    rows: int
    renders: int
    invalid: int
    unchanged: int
    likely_nusd: int
    shared: int = 0
    edits: int = 0


class Earlier(msgspec.Struct, frozen=True):
    """The job that has an idempotency key already."""

    job_id: str


def quiet_moment(connection: Connection) -> datetime:
    """The time, while nobody begins or finishes a job: all that is loaded by now can be seen."""
    db.take_turns(connection, _SUBMITTING)
    return db.now(connection)


def begin_once(connection: Connection, job: NewJob) -> str | Earlier:
    """Start a job, unless one was begun with its idempotency key before, in any process."""
    db.take_turns(connection, _SUBMITTING)
    key = job.idempotency_key
    earlier = None if key is None else by_idempotency_key(connection, key)
    return _begin(connection, job) if earlier is None else Earlier(earlier)


def begin(connection: Connection, job: NewJob) -> str:
    """Start an empty job and its account; its id."""
    db.take_turns(connection, _SUBMITTING)
    return _begin(connection, job)


def _begin(connection: Connection, job: NewJob) -> str:
    job_id = new_id("job")
    fields = {k: v for k, v in msgspec.structs.asdict(job).items() if k not in _NOT_A_COLUMN}
    connection.execute(insert(Job).values(id=job_id, created_at=db.now(connection), **fields))
    ledger.open_account(connection, Account.scope_of(job_id), job.cap_nusd)
    return job_id


_NOT_A_COLUMN: Final = frozenset({"cap_nusd", "hold"})


def add(
    connection: Connection, job_id: str, renders: Sequence[NewRender], hold: str | None = None
) -> None:
    """Store some renders; call it as often as needed, a transaction each.

    With `hold` they are held for that reason, not pending.
    """
    begins = _BEGINS if hold is None else _BEGINS | {"state": RenderState.HELD, "reason": hold}
    given = map(_GIVEN, renders)
    bulk.stream(connection, Render, _COLUMNS, ((job_id, *begins.values(), *row) for row in given))


_BEGINS: Final[dict[str, str | int | None]] = {
    "state": RenderState.PENDING.value,
    "reason": None,
    "fence": 0,
    "tries": 0,
    "imageless": 0,
    "losses": 0,
    "charged_nusd": 0,
    "at_risk_nusd": 0,
}
_GIVEN: Final = attrgetter(*NewRender.__struct_fields__)
_COLUMNS: Final = ("job_id", *_BEGINS, *NewRender.__struct_fields__)


def reject(connection: Connection, job_id: str, problems: Iterable[Problem]) -> None:
    """Keep the rows that were left out, for the rejection report."""
    rows = [
        {
            "job_id": job_id,
            "line": problem.line,
            "column": problem.column,
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]
    if rows:
        connection.execute(insert(Rejection), rows)


def finish(
    connection: Connection,
    job_id: str,
    loaded: Loaded,
    *,
    again: bool = False,
    share: bool = True,
    is_held: bool = False,
    since: datetime | None = None,
) -> None:
    """Open the job to claims: from this commit on nothing of it can be lost.

    What another job brought in while this one was read is rendered there, unless `again`; without
    `share` only for rows of the same id. Of a job that is held, every render was added so. `since`
    is the `quiet_moment` from which the books were asked, if that was before the job began.
    """
    db.take_turns(connection, _SUBMITTING)
    twice = 0 if again else _give_way(connection, job_id, since, share=share)
    renders = loaded.renders - twice
    now = db.now(connection)
    connection.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(
            loaded_at=now,
            finished_at=None if renders else now,
            rows=loaded.rows,
            pending=0 if is_held else renders,
            held=renders if is_held else 0,
            invalid=loaded.invalid,
            unchanged=loaded.unchanged + twice,
            shared=loaded.shared,
            likely_nusd=loaded.likely_nusd * renders // max(loaded.renders, 1),
        )
    )
    if loaded.edits:
        edits.resolve(connection, job_id)
        edits.sort(connection, job_id)


def _give_way(connection: Connection, job_id: str, since: datetime | None, *, share: bool) -> int:
    """Drop the renders that the books could not tell of: their jobs were not loaded then.

    `quiet_moment`, `begin` and `finish` take turns, so a job that was loaded before was seen.
    """
    created = select(Job.created_at).where(Job.id == job_id).scalar_subquery()
    began = created if since is None else since
    others = connection.scalars(
        select(Job.id).where(Job.loaded_at >= began, Job.id != job_id)
    ).all()
    return links.give_way(connection, job_id, others, share=share) if others else 0


def discard(connection: Connection, job_id: str) -> None:
    """Remove a job whose loading did not come to its end; nothing of it was ever claimed."""
    connection.execute(delete(Rejection).where(Rejection.job_id == job_id))
    connection.execute(delete(Link).where(Link.job_id == job_id))
    connection.execute(delete(Render).where(Render.job_id == job_id))
    connection.execute(delete(Job).where(Job.id == job_id, Job.loaded_at.is_(None)))
    connection.execute(delete(Account).where(Account.scope == Account.scope_of(job_id)))


def discard_abandoned(connection: Connection) -> int:
    """Remove jobs whose submitter died while loading, hours ago; how many it was."""
    before = db.now(connection) - _ABANDONED_AFTER
    found = connection.scalars(
        select(Job.id).where(Job.loaded_at.is_(None), Job.created_at < before)
    ).all()
    for job_id in found:
        discard(connection, job_id)
    return len(found)


def by_idempotency_key(connection: Connection, key: str) -> str | None:
    """The job that was submitted with this key before, if there is one."""
    return connection.scalar(select(Job.id).where(Job.idempotency_key == key))
