"""Runs of schedules that are over or were missed, and of which nobody was told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from darkroom.db import AnyRow
from darkroom.event import EventName
from darkroom.models import Render, RenderState, Run, RunState, Schedule
from darkroom.notices import outbox, told
from darkroom.notices.outbox import Happening
from darkroom.report import job_states

_MOST_ROWS: Final = 20
_BAD: Final = (RenderState.FAILED, RenderState.REFUSED)


def missed(connection: Connection, since: datetime) -> list[Happening]:
    """Runs that nothing ticked for, written down since then."""
    query = _runs().where(Run.state == RunState.MISSED, Run.created_at >= since)
    found = {f"schedule.missed:{row.id}": row for row in connection.execute(query)}
    new = sorted(outbox.unknown(connection, list(found)))
    return [
        Happening(
            subject=subject,
            event=EventName.SCHEDULE_MISSED,
            data=_told(found[subject]),
            run_id=found[subject].id,
            told=_targets(found[subject]),
        )
        for subject in new
    ]


def over(connection: Connection, since: datetime) -> list[Happening]:
    """Runs that are over since then, each with a digest; one that runs again is over again."""
    ends = (RunState.DONE, RunState.FAILED)
    query = _runs().where(Run.state.in_(ends), Run.finished_at >= since)
    rows = connection.execute(query).all()
    found = {f"schedule.run:{row.id}:{row.finished_at.isoformat()}": row for row in rows}
    new = sorted(outbox.unknown(connection, list(found)))
    return [_digest(connection, subject, found[subject]) for subject in new]


def _runs() -> Any:  # noqa: ANN401  # a SELECT
    named = (Schedule.name.label("schedule"), Schedule.terms)
    return select(Run.__table__, *named).join(Schedule, Schedule.id == Run.schedule_id)


def _told(row: AnyRow) -> dict[str, Any]:
    names = ("schedule", "local_date", "fire_at", "cause", "state", "reason")
    known: dict[str, Any] = msgspec.to_builtins({name: getattr(row, name) for name in names})
    return {"run": row.id} | known


def _digest(connection: Connection, subject: str, row: AnyRow) -> Happening:
    """All that one night came to: counts, cost, and the rows without image, the first of them."""
    data = _told(row) | {"job": None, "failed_rows": []}
    if row.job_id is not None:
        data["job"] = told.of_job(job_states(connection, [row.job_id])[0])
        data["failed_rows"] = _failed_rows(connection, row.job_id)
    event = EventName.SCHEDULE_RUN
    return Happening(
        subject=subject,
        event=event,
        data=data,
        job_id=row.job_id,
        run_id=row.id,
        told=_targets(row),
    )


class _Terms(msgspec.Struct):
    notify: tuple[str, ...] = ()


def _targets(row: AnyRow) -> tuple[str, ...]:
    """Whom the schedule names: `ops`, or `apprise:ops`."""
    said = msgspec.json.decode(row.terms, type=_Terms).notify
    return tuple(name.rpartition(":")[2] for name in said)


def _failed_rows(connection: Connection, job_id: str) -> list[dict[str, Any]]:
    query = (
        select(Render.row_id, Render.variant, Render.state, Render.reason)
        .where(Render.job_id == job_id, Render.state.in_(_BAD))
        .order_by(Render.id)
        .limit(_MOST_ROWS)
    )
    names = ("id", "variant", "state", "reason")
    return [dict(zip(names, row, strict=True)) for row in connection.execute(query)]
