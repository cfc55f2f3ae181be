"""Stores a plan's renders: streamed in, and open to claims only when all are there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.chunk import Chunk
from darkroom.errors import PlanOutdated
from darkroom.jobs import catalogs, links, load
from darkroom.jobs.links import NewLink
from darkroom.jobs.load import Earlier, Loaded, NewJob, NewRender
from darkroom.plan import Plan
from darkroom.planner import Planner
from darkroom.selection import Select
from darkroom_manifests.problem import Problem

Tell = Callable[[int], None]
"""Hears how many more rows were read."""


_FEW: Final = 100  # rows, which are stored in one transaction: a web server waits for it


def store(engine: Engine, planner: Planner, plan: Plan, job: NewJob, tell: Tell) -> str:
    """Store a job and give its id, or that of an earlier one with the same idempotency key.

    Nothing of it is left when this raises. Raises PlanOutdated when the manifest is not the one
    that was planned.
    """
    if plan.rows <= _FEW:
        return _at_once(engine, planner, plan, job, tell)
    begun = db.transact(engine, lambda connection: load.begin_once(connection, job))
    if isinstance(begun, Earlier):
        return begun.job_id
    job_id = begun
    try:
        _stream(engine, planner, plan, job_id, job.hold, tell)
    except BaseException:
        db.transact(engine, lambda connection: load.discard(connection, job_id))
        raise
    return job_id


def _at_once(engine: Engine, planner: Planner, plan: Plan, job: NewJob, tell: Tell) -> str:
    """Read and store a small manifest in one transaction: no other job comes in meanwhile."""
    with db.writing(engine) as connection:
        begun = load.begin_once(connection, job)
        if isinstance(begun, Earlier):
            return begun.job_id
        count = _Count()
        for chunk in planner.chunks(plan.manifest):
            _write(connection, begun, count.taken(chunk), job.hold)
        _require_same(plan)
        _open(connection, planner, plan, begun, count, is_held=job.hold is not None)
    tell(count.rows)
    return begun


def _stream(
    engine: Engine, planner: Planner, plan: Plan, job_id: str, hold: str | None, tell: Tell
) -> None:
    """Read the manifest once more, a transaction a chunk: a million rows stay flat.

    One chunk is written while the next is read, so that the database and this process both work.
    """

    def write(part: _Part) -> None:
        with db.writing(engine) as connection:
            _write(connection, job_id, part, hold)

    count = _Count()
    with ThreadPoolExecutor(1, thread_name_prefix="store") as writer:
        written: Future[None] | None = None
        for chunk in planner.chunks(plan.manifest):
            part = count.taken(chunk)
            if written is not None:
                written.result()
            written = writer.submit(write, part)
            tell(chunk.rows)
        if written is not None:
            written.result()
    _require_same(plan)
    with db.writing(engine) as connection:
        _open(connection, planner, plan, job_id, count, is_held=hold is not None)


class _Part(msgspec.Struct, frozen=True):
    """What of a chunk is to be stored."""

    renders: list[NewRender]
    links: list[NewLink]
    errors: list[Problem]


class _Count(msgspec.Struct):
    """How much was read."""

    rows: int = 0
    renders: int = 0
    unchanged: int = 0
    shared: int = 0
    edits: int = 0

    def taken(self, chunk: Chunk) -> _Part:
        """Count a chunk in, and make what of it is to be stored."""
        fresh = [render for placed in chunk.placed for render in placed.renders()]
        self.rows += chunk.rows
        self.renders += len(fresh)
        self.edits += sum(render.edits is not None for render in fresh)
        # Others may have come or failed since it was planned; what was not selected counts.
        self.unchanged += len(chunk.known) + chunk.left
        self.shared += len(chunk.twins)
        return _Part(fresh, list(chunk.links()), chunk.errors)


def _write(connection: Connection, job_id: str, part: _Part, hold: str | None) -> None:
    load.add(connection, job_id, part.renders, hold)
    links.add(connection, job_id, part.links)
    load.reject(connection, job_id, part.errors)


def _require_same(plan: Plan) -> None:
    if plan.manifest.sha256() != plan.sha256:
        raise PlanOutdated("The manifest changed while it was read.", hint="Plan it again.")


def _open(
    connection: Connection,
    planner: Planner,
    plan: Plan,
    job_id: str,
    count: _Count,
    *,
    is_held: bool,
) -> None:
    """Open the job to claims, and let its rows be the catalog's."""
    chosen = plan.selection
    loaded = Loaded(
        rows=count.rows,
        renders=count.renders,
        invalid=plan.invalid,
        unchanged=count.unchanged,
        likely_nusd=plan.likely_nusd,
        shared=count.shared,
        edits=count.edits,
    )
    again = chosen.select is Select.ALL
    load.finish(connection, job_id, loaded, again=again, share=chosen.share, is_held=is_held)
    if chosen.catalog is not None:
        removed = planner.removed()
        catalogs.take_over(connection, chosen.catalog, job_id)
        catalogs.remove(connection, chosen.catalog, () if removed is None else list(removed))
