"""Stores a plan's renders: streamed in, and open to claims only when all are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Final, Protocol

import msgspec
from sqlalchemy import Connection, Engine

from darkroom import db
from darkroom.errors import PlanOutdated
from darkroom.jobs import catalogs, links, load
from darkroom.jobs.load import Earlier, Loaded, NewJob
from darkroom.plan import Plan
from darkroom.planner import Planner
from darkroom.portions import Portion
from darkroom.selection import Select

Tell = Callable[[int], None]
"""Hears how many more rows were read."""


_FEW: Final = 100  # rows, which are stored in one transaction: a web server waits for it


class Supply(Protocol):
    """Where a plan's portions come from.

    `since` is when the books began to be asked, None: after the job was begun.
    """

    @property
    def since(self) -> datetime | None:
        """See above."""

    def __iter__(self) -> Iterator[Portion]: ...

    def removed(self) -> Iterator[str] | None:
        """The ids of a catalog's rows that are not there any more, when all portions are read."""


class _Anew(msgspec.Struct, frozen=True):
    """Judges the manifest once more, by what the books say now."""

    planner: Planner
    plan: Plan
    since: datetime | None = None

    def __iter__(self) -> Iterator[Portion]:
        return map(Portion.of, self.planner.chunks(self.plan.manifest))

    def removed(self) -> Iterator[str] | None:
        return self.planner.removed()


class _Lapsed(Exception):
    """A picture that was known is not there any more: the manifest is to be judged once more."""


def store(
    engine: Engine, plan: Plan, job: NewJob, tell: Tell, planner: Callable[[], Planner]
) -> str:
    """Store a job and give its id, or that of an earlier one with the same idempotency key.

    A `planner` is made where the plan kept nothing, or what it kept is not so any more. Nothing of
    the job is left when this raises. Raises PlanOutdated when the manifest is not the one that was
    planned.
    """
    if plan.kept is not None and plan.kept.serve(engine):
        try:
            return _store(engine, plan.kept, plan, job, tell)
        except _Lapsed:
            pass
    return _store(engine, _Anew(planner(), plan), plan, job, tell)


def _store(engine: Engine, supply: Supply, plan: Plan, job: NewJob, tell: Tell) -> str:
    if plan.rows <= _FEW:
        return _at_once(engine, supply, plan, job, tell)
    begun = db.transact(engine, lambda connection: load.begin_once(connection, job))
    if isinstance(begun, Earlier):
        return begun.job_id
    job_id = begun
    try:
        _stream(engine, supply, plan, job_id, job.hold, tell)
    except BaseException:
        db.transact(engine, lambda connection: load.discard(connection, job_id))
        raise
    return job_id


def _at_once(engine: Engine, supply: Supply, plan: Plan, job: NewJob, tell: Tell) -> str:
    """Store a small manifest in one transaction: no other job comes in meanwhile."""
    with db.writing(engine) as connection:
        begun = load.begin_once(connection, job)
        if isinstance(begun, Earlier):
            return begun.job_id
        count = _Count()
        for portion in supply:
            count.add(portion)
            _write(connection, begun, portion, job.hold)
        _require_same(plan)
        _open(connection, supply, plan, begun, count, is_held=job.hold is not None)
    tell(count.rows)
    return begun


def _stream(
    engine: Engine, supply: Supply, plan: Plan, job_id: str, hold: str | None, tell: Tell
) -> None:
    """Store it a transaction a portion: a million rows stay flat.

    One is written while the next is read, so that the database and this process both work.
    """

    def write(portion: Portion) -> None:
        with db.writing(engine) as connection:
            _write(connection, job_id, portion, hold)

    count = _Count()
    with ThreadPoolExecutor(1, thread_name_prefix="store") as writer:
        written: Future[None] | None = None
        for portion in supply:
            count.add(portion)
            if written is not None:
                written.result()
            written = writer.submit(write, portion)
            tell(portion.rows)
        if written is not None:
            written.result()
    _require_same(plan)
    with db.writing(engine) as connection:
        _open(connection, supply, plan, job_id, count, is_held=hold is not None)


class _Count(msgspec.Struct):
    """How much was read."""

    rows: int = 0
    renders: int = 0
    unchanged: int = 0
    shared: int = 0
    edits: int = 0

    def add(self, portion: Portion) -> None:
        self.rows += portion.rows
        self.renders += len(portion.renders)
        self.edits += sum(render.edits is not None for render in portion.renders)
        self.unchanged += portion.unchanged
        self.shared += portion.shared


def _write(connection: Connection, job_id: str, portion: Portion, hold: str | None) -> None:
    load.add(connection, job_id, portion.renders, hold)
    links.add(connection, job_id, portion.links)
    load.reject(connection, job_id, portion.errors)


def _require_same(plan: Plan) -> None:
    if plan.manifest.sha256() != plan.sha256:
        raise PlanOutdated("The manifest changed while it was read.", hint="Plan it again.")


def _open(
    connection: Connection,
    supply: Supply,
    plan: Plan,
    job_id: str,
    count: _Count,
    *,
    is_held: bool,
) -> None:
    """Open the job to claims, and let its rows be the catalog's."""
    if supply.since is not None and count.unchanged and links.have_lapsed(connection, job_id):
        raise _Lapsed
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
    load.finish(
        connection,
        job_id,
        loaded,
        again=again,
        share=chosen.share,
        is_held=is_held,
        since=supply.since,
    )
    if chosen.catalog is not None:
        removed = supply.removed()
        catalogs.take_over(connection, chosen.catalog, job_id)
        catalogs.remove(connection, chosen.catalog, () if removed is None else list(removed))
