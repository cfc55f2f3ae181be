"""The books of schedules and their runs: nothing in this package but it writes these tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select, update

from darkroom import db
from darkroom.errors import NotFound
from darkroom.ids import new_id
from darkroom.models import Job, Run, RunState, Schedule
from darkroom.schedules.entry import Entry, RunEntry
from darkroom.schedules.file import Applied
from darkroom.schedules.terms import Terms

_OPEN = [state for state in RunState if state.is_open]


def apply(connection: Connection, applied: Applied) -> str:
    """Write a schedule down; "new", "changed" or "unchanged". What is changed fires from now on."""
    terms, now = applied.terms.model_dump_json(exclude_unset=True), db.now(connection)
    told = {"terms": terms, "folder": str(applied.folder), "removed_at": None}
    query = select(Schedule.__table__).where(Schedule.name == applied.terms.name)
    earlier = connection.execute(query.with_for_update()).first()
    if earlier is not None and all(getattr(earlier, name) == told[name] for name in told):
        return "unchanged"
    times = {"applied_at": now, "looked_until": now, "failures": 0}
    if earlier is not None:
        change = update(Schedule).where(Schedule.id == earlier.id).values(**told, **times)
        connection.execute(change)
        return "changed" if earlier.removed_at is None else "new"
    own = {"id": new_id("sch"), "name": applied.terms.name, "created_at": now}
    connection.execute(db.insert_of(connection, Schedule).values(**own, **told, **times))
    return "new"


def entries(connection: Connection) -> list[Entry]:
    """Every schedule that is not removed, by name."""
    query = select(Schedule.__table__).where(Schedule.removed_at.is_(None))
    return [_entry(row) for row in connection.execute(query.order_by(Schedule.name))]


def entry(
    connection: Connection, name: str, *, lock: bool = False, removed_too: bool = False
) -> Entry:
    """One schedule, by name. Raises NotFound."""
    query = select(Schedule.__table__).where(Schedule.name == name)
    query = query if removed_too else query.where(Schedule.removed_at.is_(None))
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"There is no schedule {name}.", hint="`darkroom schedule ls` lists them.")
    return _entry(row)


def owner(connection: Connection, run: RunEntry) -> Entry:
    """The schedule of a run, removed or not."""
    query = select(Schedule.__table__).where(Schedule.id == run.schedule_id)
    return _entry(connection.execute(query).one())


def _entry(row: db.AnyRow) -> Entry:
    known = {name: getattr(row, name) for name in Entry.__struct_fields__}
    known["terms"] = Terms.model_validate_json(row.terms)
    known["folder"] = Path(row.folder)
    return Entry(**known)


def pause(connection: Connection, schedule_id: str, reason: str) -> None:
    """Begin no run of it by the clock."""
    change = update(Schedule).where(Schedule.id == schedule_id, Schedule.paused_at.is_(None))
    connection.execute(change.values(paused_at=db.now(connection), pause_reason=reason))


def resume(connection: Connection, schedule_id: str) -> None:
    """Fire again from the next time on."""
    told: dict[str, Any] = {"paused_at": None, "pause_reason": None, "failures": 0}
    connection.execute(update(Schedule).where(Schedule.id == schedule_id).values(**told))


def remove(connection: Connection, schedule_id: str) -> None:
    """Fire no more, and forget what waits; what is a job goes on."""
    now = db.now(connection)
    gone = update(Schedule).where(Schedule.id == schedule_id).values(removed_at=now)
    connection.execute(gone)
    waiting = (Run.schedule_id == schedule_id) & (Run.state == RunState.WAITING)
    told = {"state": RunState.SKIPPED, "reason": "the schedule was removed", "finished_at": now}
    connection.execute(update(Run).where(waiting).values(**told))


def looked(connection: Connection, schedule_id: str, until: datetime) -> None:
    """Every fire up to then has its run."""
    change = update(Schedule).where(Schedule.id == schedule_id, Schedule.looked_until < until)
    connection.execute(change.values(looked_until=until))


def add(connection: Connection, run: RunEntry) -> bool:
    """Write a fire down; False when somebody did already: there is one run for each."""
    fields = msgspec.structs.asdict(run)
    insert = db.insert_of(connection, Run).values(**fields, created_at=db.now(connection))
    unique = [Run.schedule_id, Run.fire_at]
    insert = insert.on_conflict_do_nothing(index_elements=unique)
    return bool(connection.execute(insert.execution_options(preserve_rowcount=True)).rowcount)


def again(connection: Connection, schedule_id: str, fire_at: datetime) -> bool:
    """Let a fire that was missed, skipped or failed wait again; False where there is none."""
    over = [RunState.MISSED, RunState.SKIPPED, RunState.FAILED]
    mine = (Run.schedule_id == schedule_id) & (Run.fire_at == fire_at) & Run.job_id.is_(None)
    told = {"state": RunState.WAITING, "reason": None, "finished_at": None, "tries": 0}
    change = update(Run).where(mine, Run.state.in_(over)).values(**told, cause="backfill")
    return bool(connection.execute(change).rowcount)


def runs(
    connection: Connection, schedule_id: str | None = None, limit: int | None = None
) -> list[RunEntry]:
    """The runs of a schedule, the newest first."""
    query = select(Run.__table__).order_by(Run.fire_at.desc()).limit(limit)
    return _runs(connection, query.where(Run.schedule_id == schedule_id))


def open_runs(connection: Connection, schedule_id: str | None = None) -> list[RunEntry]:
    """The runs of which something is still to come, the earliest first."""
    query = select(Run.__table__).where(Run.state.in_(_OPEN)).order_by(Run.due_at)
    return _runs(connection, query if schedule_id is None else query.where(_of(schedule_id)))


def run(connection: Connection, run_id: str) -> RunEntry:
    """One run."""
    return _runs(connection, select(Run.__table__).where(Run.id == run_id))[0]


def _of(schedule_id: str) -> ColumnElement[bool]:
    return Run.schedule_id == schedule_id


def _runs(connection: Connection, query: Any) -> list[RunEntry]:  # noqa: ANN401  # a SELECT
    rows: Sequence[db.AnyRow] = connection.execute(query).all()
    return [_run(row) for row in rows]


def _run(row: db.AnyRow) -> RunEntry:
    known = {name: getattr(row, name) for name in RunEntry.__struct_fields__}
    return RunEntry(**known | {"state": RunState(row.state)})


def take(connection: Connection, run_id: str, who: str, seconds: float) -> bool:
    """Begin a run, or go on with one whose scheduler is silent; False when another was faster."""
    now = db.now(connection)
    free = (Run.state == RunState.WAITING) | (
        (Run.state == RunState.WORKING) & (Run.worked_until < now)
    )
    told = {"state": RunState.WORKING, "worker": who, "tries": Run.tries + 1}
    until = now + timedelta(seconds=seconds)
    change = update(Run).where(Run.id == run_id, free).values(**told, worked_until=until)
    return bool(connection.execute(change).rowcount)


def stay(connection: Connection, run_id: str, who: str, seconds: float) -> bool:
    """Go on working on a run; False when it is somebody else's by now, or over."""
    until = db.now(connection) + timedelta(seconds=seconds)
    mine = _mine(run_id, who)
    return bool(connection.execute(update(Run).where(mine).values(worked_until=until)).rowcount)


def give_back(connection: Connection, run_id: str, who: str) -> None:
    """Let another begin it."""
    told = {"state": RunState.WAITING, "worker": None, "worked_until": None}
    connection.execute(update(Run).where(_mine(run_id, who)).values(**told))


def submitted(
    connection: Connection, run_id: str, who: str, job_id: str, reason: str | None
) -> bool:
    """It is a job; False when the run is somebody else's by now, who finds the same job."""
    told = {"state": RunState.SUBMITTED, "job_id": job_id, "reason": reason, "worker": None}
    return bool(connection.execute(update(Run).where(_mine(run_id, who)).values(**told)).rowcount)


def _mine(run_id: str, who: str) -> ColumnElement[bool]:
    return (Run.id == run_id) & (Run.worker == who) & (Run.state == RunState.WORKING)


def end(
    connection: Connection,
    ended: RunEntry,
    state: RunState,
    reason: str | None,
    who: str | None = None,
) -> bool:
    """End a run, and do what its schedule says about failures; False when it was over already."""
    mine = _mine(ended.id, who) if who else (Run.id == ended.id) & Run.state.in_(_OPEN)
    told = {"state": state, "reason": reason, "worker": None, "finished_at": db.now(connection)}
    if not connection.execute(update(Run).where(mine).values(**told)).rowcount:
        return False
    if state is RunState.DONE:
        calm = update(Schedule).where(Schedule.id == ended.schedule_id).values(failures=0)
        connection.execute(calm)
    if state is RunState.FAILED:
        _count_failure(connection, ended.schedule_id)
    return True


def _count_failure(connection: Connection, schedule_id: str) -> None:
    change = update(Schedule).where(Schedule.id == schedule_id)
    connection.execute(change.values(failures=Schedule.failures + 1))
    query = select(Schedule.__table__).where(Schedule.id == schedule_id)
    found = _entry(connection.execute(query).one())
    most = found.terms.pause_after_failures
    if most is not None and found.failures >= most:
        pause(connection, schedule_id, f"{found.failures} runs failed in a row")


def deadline_is_past(connection: Connection, run_id: str, reason: str) -> bool:
    """Note that what is to be done at the deadline is done; False when it was already."""
    mine = (Run.id == run_id) & Run.deadline_acted.is_(False)
    change = update(Run).where(mine).values(deadline_acted=True, reason=reason)
    return bool(connection.execute(change).rowcount)


def unloaded(connection: Connection, key: str) -> str | None:
    """A job that was begun with this key and not brought in to its end."""
    query = select(Job.id).where(Job.idempotency_key == key, Job.loaded_at.is_(None))
    return connection.scalar(query)
