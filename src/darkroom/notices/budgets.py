"""Caps of which four fifths are spent, and of which nobody was told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, or_, select, type_coerce

from darkroom import db, ledger
from darkroom.db import AnyRow
from darkroom.event import EventName
from darkroom.models import Account, Job
from darkroom.notices import outbox, told
from darkroom.notices.outbox import Happening
from darkroom.report import job_states

_JOB = "job:"


def nearly_spent(connection: Connection, since: datetime) -> list[Happening]:
    """Caps of jobs that run or ended since then, of today, and of everything.

    What may have been charged counts, what is only reserved does not. A cap that is changed is
    another one.
    """
    today = Account.scope_of_day(db.now(connection))
    running = or_(Job.finished_at.is_(None), Job.finished_at >= since)
    jobs = (
        select(Account.__table__)
        .join(Job, Account.scope == _JOB + Job.id)
        .where(running, Job.loaded_at.is_not(None), _is_near())
    )
    shared = select(Account.__table__).where(Account.scope.in_([ledger.ALL, today]), _is_near())
    rows = [*connection.execute(jobs), *connection.execute(shared)]
    found = {f"budget.80:{row.scope}:{row.cap_nusd}": row for row in rows}
    new = sorted(outbox.unknown(connection, list(found)))
    return [_happening(connection, subject, found[subject]) for subject in new]


def _is_near() -> ColumnElement[bool]:
    used = Account.spent_nusd + Account.at_risk_nusd
    return (Account.cap_nusd > 0) & (type_coerce(used, BigInteger) * 5 >= Account.cap_nusd * 4)


def _happening(connection: Connection, subject: str, row: AnyRow) -> Happening:
    names = ("cap_nusd", "spent_nusd", "at_risk_nusd", "reserved_nusd")
    data: dict[str, Any] = told.in_dollars({name: getattr(row, name) for name in names})
    data["scope"] = row.scope.partition(":")[0]
    job_id = row.scope.removeprefix(_JOB) if row.scope.startswith(_JOB) else None
    if job_id is not None:
        data["job"] = told.of_job(job_states(connection, [job_id])[0])
    event = EventName.BUDGET_80
    return Happening(subject=subject, event=event, data=data, job_id=job_id)
