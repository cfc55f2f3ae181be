"""A job's counters: how its renders are spread over the states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from darkroom.models import Job, RenderState

Shifts = Counter[RenderState]
"""How many renders enter (positive) or leave (negative) each state."""


def moved(shifts: Shifts, leave: RenderState, enter: RenderState, how_many: int = 1) -> None:
    """Count renders that go from one state to another."""
    shifts[leave] -= how_many
    shifts[enter] += how_many


def shift(connection: Connection, by_job: Mapping[str, Shifts], now: datetime) -> None:
    """Apply the changes, and mark jobs finished when nothing unfinished is left in them."""
    _apply(connection, by_job)
    finish(
        connection, sorted(job_id for job_id, shifts in by_job.items() if any(shifts.values())), now
    )


def serve(connection: Connection, by_job: Mapping[str, Shifts], now: datetime) -> None:
    """Apply the changes of a claim, which finishes no job, and note that the jobs were served."""
    _apply(connection, by_job, served_at=now)


def _apply(connection: Connection, by_job: Mapping[str, Shifts], **also: datetime) -> None:
    for job_id, shifts in sorted(by_job.items()):
        changes: dict[str, Any] = {
            state.value: getattr(Job, state.value) + count
            for state, count in shifts.items()
            if count
        }
        if changes:
            connection.execute(update(Job).where(Job.id == job_id).values(**changes, **also))


def finish(connection: Connection, job_ids: list[str], now: datetime) -> None:
    """Set or take back `finished_at`, by what the counters say."""
    if not job_ids:
        return
    unfinished = Job.held + Job.waiting + Job.pending + Job.sent + Job.submitted
    done = update(Job).where(Job.id == bindparam("of"), unfinished == 0)
    open_again = update(Job).where(Job.id == bindparam("of"), unfinished > 0)
    rows = [{"of": job_id} for job_id in job_ids]
    connection.execute(
        done.where(Job.finished_at.is_(None), Job.loaded_at.is_not(None)).values(finished_at=now),
        rows,
    )
    connection.execute(
        open_again.where(Job.finished_at.is_not(None)).values(finished_at=None), rows
    )
