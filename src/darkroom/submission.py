"""Stores a plan's renders: streamed in, and open to claims only when all are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import Engine

from darkroom import db
from darkroom.errors import PlanOutdated
from darkroom.jobs import load
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.planner import Plan, Planner
from darkroom_manifests.problem import Problem

Tell = Callable[[int], None]
"""Hears how many more rows were read."""


def store(engine: Engine, planner: Planner, plan: Plan, job: NewJob, tell: Tell) -> str:
    """Store a job and give its id; nothing of it is left when this raises.

    Raises PlanOutdated when the manifest is not the one that was planned.
    """
    job_id = db.transact(engine, lambda connection: load.begin(connection, job))
    try:
        _stream(engine, planner, plan, job_id, job.hold, tell)
    except BaseException:
        db.transact(engine, lambda connection: load.discard(connection, job_id))
        raise
    return job_id


def _stream(
    engine: Engine, planner: Planner, plan: Plan, job_id: str, hold: str | None, tell: Tell
) -> None:
    """Read the manifest once more, a transaction a chunk: a million rows stay flat.

    One chunk is written while the next is read, so that the database and this process both work.
    """
    renders, rows, unchanged = 0, 0, 0
    with ThreadPoolExecutor(1, thread_name_prefix="store") as writer:
        written: Future[None] | None = None
        for chunk in planner.chunks(plan.manifest):
            fresh = [render for placed in chunk.placed for render in placed.renders()]
            if written is not None:
                written.result()
            written = writer.submit(_write, engine, job_id, fresh, chunk.errors, hold)
            renders += len(fresh)
            rows += len(chunk.drafts)
            unchanged += len(chunk.known)  # others may have come or failed since it was planned
            tell(len(chunk.drafts))
        if written is not None:
            written.result()
    if plan.manifest.sha256() != plan.sha256:
        raise PlanOutdated("The manifest changed while it was read.", hint="Plan it again.")
    loaded = Loaded(rows, renders, plan.invalid, unchanged, plan.likely_nusd)
    with db.writing(engine) as connection:
        load.finish(connection, job_id, loaded, again=plan.again, is_held=hold is not None)


def _write(
    engine: Engine,
    job_id: str,
    fresh: Sequence[NewRender],
    errors: Sequence[Problem],
    hold: str | None,
) -> None:
    with db.writing(engine) as connection:
        load.add(connection, job_id, fresh, hold)
        load.reject(connection, job_id, errors)
