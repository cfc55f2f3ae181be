"""Turns the hours of the clock into runs: one for each fire, whoever sees it first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import Final

import structlog
from sqlalchemy import Connection

from darkroom.ids import new_id
from darkroom.models import RunState
from darkroom.schedules import books
from darkroom.schedules.calendar import Fire, next_wall_time
from darkroom.schedules.entry import Entry, RunEntry

_log = structlog.get_logger(__name__)

_MOST_AT_ONCE: Final = 500
_LEAST_CATCHUP: Final = 60.0  # seconds; a tick may be late
_SAID: Final = {RunState.MISSED: "a run was missed", RunState.SKIPPED: "a run was skipped"}


def note(connection: Connection, name: str, now: datetime) -> list[RunEntry]:
    """Write down every fire of a schedule until now; gives the runs that nobody had written."""
    found = books.entry(connection, name, lock=True)
    fires = _until(found, now)
    if not fires:
        return []
    written = []
    for fire, later in pairwise([*fires, None]):
        assert fire is not None
        state, reason = _verdict(connection, found, fire, later, now)
        run = made(found, fire, "cron", state, reason)
        if books.add(connection, run):
            written.append(run)
            if state in _SAID:
                _log.warning(_SAID[state], schedule=name, fire=fire.at.isoformat(), why=reason)
    books.looked(connection, found.id, fires[-1].at)
    return written


def _until(found: Entry, now: datetime) -> list[Fire]:
    fires = found.terms.calendar().after(found.looked_until)
    due = takewhile(lambda fire: fire.at <= now, fires)
    return [fire for fire, _ in zip(due, range(_MOST_AT_ONCE), strict=False)]


def _verdict(
    connection: Connection, found: Entry, fire: Fire, later: Fire | None, now: datetime
) -> tuple[RunState, str | None]:
    """Whether a fire is to run; if not, why."""
    late = (now - fire.at).total_seconds()
    if found.paused_at is not None:
        return RunState.SKIPPED, f"the schedule is paused: {found.pause_reason}"
    if late > max(found.terms.catchup, _LEAST_CATCHUP):
        return RunState.MISSED, f"no scheduler ticked until {late / 3_600:.1f} h later"
    if later is not None:
        return RunState.SKIPPED, f"the run of {later.local:%Y-%m-%d %H:%M} came in its place"
    return _beside(found, books.open_runs(connection, found.id))


def _beside(found: Entry, others: list[RunEntry]) -> tuple[RunState, str | None]:
    """What the overlap says, if there are earlier runs."""
    if not others or found.terms.overlap == "allow":
        return RunState.WAITING, None
    first = others[0]
    said = f"the run of {first.local_date} is not finished"
    if first.job_id is not None:
        said += f": darkroom job show {first.job_id}"
    if found.terms.overlap == "skip":
        return RunState.SKIPPED, said
    if any(other.state is RunState.WAITING for other in others):
        return RunState.SKIPPED, "another run waits already"
    return RunState.WAITING, said


def made(
    found: Entry, fire: Fire, cause: str, state: RunState, reason: str | None = None
) -> RunEntry:
    """Make the run of a fire; where two make it, they make it alike but for its id."""
    terms = found.terms
    is_over = not state.is_open
    jitter = terms.jitter * _chance(found.id, fire.at) if cause == "cron" else 0.0
    deadline = None
    if terms.deadline is not None and cause != "backfill":
        deadline = next_wall_time(fire, terms.deadline, terms.calendar().zone)
    return RunEntry(
        id=new_id("run"),
        schedule_id=found.id,
        fire_at=fire.at,
        due_at=fire.at + timedelta(seconds=jitter),
        deadline_at=deadline,
        local_date=fire.local_date.isoformat(),
        cause=cause,
        state=state,
        reason=reason,
        job_id=None,
        tries=0,
        finished_at=fire.at if is_over else None,
        deadline_acted=False,
    )


def _chance(schedule_id: str, at: datetime) -> float:
    """A part of the jitter, from 0 to 1, the same for whoever asks."""
    digest = hashlib.sha256(f"{schedule_id} {at.isoformat()}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def between(found: Entry, begins: datetime, ends: datetime) -> Iterator[Fire]:
    """The fires from one moment to another, both included."""
    fires = found.terms.calendar().after(begins - timedelta(seconds=1))
    return takewhile(lambda fire: fire.at <= ends, fires)
