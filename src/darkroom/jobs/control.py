"""What people ask of a job: pause, resume, approve, cancel, retry."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from darkroom import db, ledger
from darkroom.jobs import batches, counts, edits
from darkroom.models import Account, Attempt, Batch, Job, Render, RenderState


def pause(connection: Connection, job_id: str) -> None:
    """Claim nothing more of it; what is in flight comes home."""
    connection.execute(update(Job).where(Job.id == job_id).values(paused=True))


def resume(connection: Connection, job_id: str) -> int:
    """Go on: what a cap had stopped is pending again; how many renders that is."""
    connection.execute(update(Job).where(Job.id == job_id).values(paused=False))
    return _move(
        connection,
        job_id,
        (Render.state == RenderState.HELD) & (Render.reason == "cap"),
        RenderState.PENDING,
    )


APPROVAL: Final = "approval"
"""The reason of renders that are held until a person agrees to their cost; nothing of it is
reserved meanwhile."""


def approve(connection: Connection, job_id: str) -> int:
    """Let what waits for approval be sent; how many renders that is."""
    return _move(connection, job_id, _waits_for_approval(), RenderState.PENDING)


def reject(connection: Connection, job_id: str) -> int:
    """Cancel a job that waits for approval; how many renders that is, none if it does not wait."""
    waiting = select(Render.id).where(Render.job_id == job_id, _waits_for_approval())
    if connection.scalar(waiting.limit(1)) is None:
        return 0
    return cancel(connection, job_id)


def _waits_for_approval() -> ColumnElement[bool]:
    return (Render.state == RenderState.HELD) & (Render.reason == APPROVAL)


def set_cap(connection: Connection, job_id: str, cap_nusd: int | None) -> None:
    """Change what the job may spend."""
    ledger.set_cap(connection, Account.scope_of(job_id), cap_nusd)


def cancel(connection: Connection, job_id: str) -> int:
    """Cancel what was not sent; answers in flight are paid for and kept. How many it was.

    Its provider batches are told to end early; what is finished in them is paid for and kept, too.
    """
    now = db.now(connection)
    connection.execute(
        update(Job).where(Job.id == job_id, Job.finished_at.is_(None)).values(cancelled_at=now)
    )
    unsent = Render.state.in_([RenderState.PENDING, RenderState.WAITING, RenderState.HELD])
    cancelled = _move(connection, job_id, unsent, RenderState.CANCELLED)
    # Last: a claim that held some of them until now may have opened a batch.
    open_ones = connection.scalars(select(Batch.id).where(Batch.job_id == job_id)).all()
    batches.ask_to_cancel(connection, open_ones, "the job was cancelled")
    return cancelled


RETRIABLE = frozenset(
    {RenderState.FAILED, RenderState.REFUSED, RenderState.CANCELLED, RenderState.HELD}
)


def retry(connection: Connection, job_id: str, states: Collection[RenderState]) -> int:
    """Try again what ended without a picture, with a fresh number of tries; how many it is.

    This is a person's word, and is written on the newest attempt of each render: it allows another
    one after a lost answer, a refusal or a request that was invalid.
    """
    chosen: ColumnElement[bool] = Render.state.in_([s for s in states if s in RETRIABLE])
    # What failed with the image that it changes goes on with it, or fails with it again.
    chosen |= (Render.state == RenderState.FAILED) & (Render.reason == edits.PARENT)
    newest = (
        select(Attempt.id)
        .join(Render, and_(Render.id == Attempt.render_id, Render.fence == Attempt.fence))
        .where(Render.job_id == job_id, chosen, Attempt.resend_rule.is_(None))
    )
    connection.execute(
        update(Attempt).where(Attempt.id.in_(newest)).values(resend_rule="a person said so")
    )
    connection.execute(update(Job).where(Job.id == job_id).values(cancelled_at=None))
    connection.execute(
        update(Render)
        .where(Render.job_id == job_id, chosen)
        .values(tries=0, imageless=0, remedy=None)
    )
    return _move(connection, job_id, chosen, RenderState.PENDING)


def hold(connection: Connection, render_ids: Collection[int], reason: str) -> int:
    """Let these wait for a person, those that would be sent by themselves; how many it is."""
    pending = (Render.id.in_(render_ids)) & (Render.state == RenderState.PENDING)
    now = db.now(connection)
    query = select(Render.id, Render.job_id).where(pending).order_by(Render.id).with_for_update()
    chosen = connection.execute(query).all()
    connection.execute(
        update(Render)
        .where(Render.id.in_([render.id for render in chosen]))
        .values(state=RenderState.HELD, reason=reason, due_at=None)
    )
    by_job: defaultdict[str, counts.Shifts] = defaultdict(Counter)
    for render in chosen:
        counts.moved(by_job[render.job_id], RenderState.PENDING, RenderState.HELD)
    counts.shift(connection, by_job, now)
    return len(chosen)


def _move(
    connection: Connection, job_id: str, chosen: ColumnElement[bool], enter: RenderState
) -> int:
    """Move renders by a condition on their state, and count them."""
    now = db.now(connection)
    locked = select(Render.id).where(Render.job_id == job_id, chosen).with_for_update()
    connection.execute(locked)
    leaving = connection.execute(
        select(Render.state, func.count())
        .where(Render.job_id == job_id, chosen)
        .group_by(Render.state)
    ).all()
    connection.execute(
        update(Render)
        .where(Render.job_id == job_id, chosen)
        .values(
            state=enter,
            reason=None,
            message=None,
            due_at=None,
            finished_at=now if enter.is_final else None,
        )
    )
    by_job: defaultdict[str, counts.Shifts] = defaultdict(Counter)
    for state, how_many in leaving:
        counts.moved(by_job[job_id], RenderState(state), enter, how_many)
    counts.shift(connection, by_job, now)
    if enter is RenderState.PENDING:
        edits.sort(connection, job_id)
    return sum(how_many for _, how_many in leaving)
