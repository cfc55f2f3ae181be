"""Jobs that ended, or wait for a person, and of which nobody was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from darkroom.db import AnyRow
from darkroom.event import EventName
from darkroom.models import Account, Job, Render, RenderState
from darkroom.notices import outbox, told
from darkroom.notices.outbox import Happening
from darkroom.report import JobState, job_states

_OF_A_SCHEDULE = "schedule:%"
"""How idempotency keys of schedules' jobs begin: their runs are told, by a digest."""


def ended(connection: Connection, since: datetime, failed_above: float) -> list[Happening]:
    """Jobs that ended since then. One that is tried again ends again, at another time."""
    of_schedule = Job.idempotency_key.like(_OF_A_SCHEDULE)
    query = select(Job.id, Job.finished_at).where(
        Job.finished_at >= since, or_(Job.idempotency_key.is_(None), ~of_schedule)
    )
    rows = connection.execute(query)
    subjects = {f"job.finished:{row.id}:{row.finished_at.isoformat()}": row.id for row in rows}
    new = outbox.unknown(connection, list(subjects))
    states = _states(connection, [subjects[subject] for subject in new])
    return [
        _ended(subject, states[subjects[subject]], failed_above)
        for subject in sorted(new)
        if subjects[subject] in states
    ]


def _ended(subject: str, state: JobState, failed_above: float) -> Happening:
    bad = state.failed + state.refused
    is_failed = bad > failed_above * state.total
    event = EventName.JOB_FAILED if is_failed else EventName.JOB_FINISHED
    return Happening(
        subject=subject, event=event, data={"job": told.of_job(state)}, job_id=state.id
    )


def _states(connection: Connection, ids: Sequence[str]) -> dict[str, JobState]:
    return {state.id: state for state in job_states(connection, ids)} if ids else {}


def held(connection: Connection, since: datetime) -> list[Happening]:
    """Unfinished jobs with renders that wait for a person; again for another reason or cap."""
    newest = func.coalesce(Job.served_at, Job.loaded_at)
    waiting = (Job.held > 0) & Job.finished_at.is_(None) & Job.cancelled_at.is_(None)
    query = (
        select(Job.id, Account.cap_nusd)
        .join(Account, Account.scope == "job:" + Job.id)
        .where(waiting, newest >= since)
    )
    found: dict[str, tuple[str, str | None]] = {}
    for job in connection.execute(query):
        reason = _reason(connection, job)
        found[f"job.held:{job.id}:{reason}:{job.cap_nusd}"] = (job.id, reason)
    new = sorted(outbox.unknown(connection, list(found)))
    states = _states(connection, [found[subject][0] for subject in new])
    return [_held(subject, states[found[subject][0]], found[subject][1]) for subject in new]


def _reason(connection: Connection, job: AnyRow) -> str | None:
    waiting = (Render.job_id == job.id) & (Render.state == RenderState.HELD)
    return connection.scalar(select(Render.reason).where(waiting).order_by(Render.id).limit(1))


def _held(subject: str, state: JobState, reason: str | None) -> Happening:
    verbs = ("approve", "reject") if state.needs_approval else ("resume", "retry", "cancel")
    return Happening(
        subject=subject,
        event=EventName.JOB_HELD,
        data={
            "job": told.of_job(state),
            "reason": reason,
            "commands": [f"darkroom job {verb} {state.id}" for verb in verbs],
        },
        job_id=state.id,
    )
