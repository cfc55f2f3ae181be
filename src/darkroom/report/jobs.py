"""Jobs as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from darkroom import db, ledger
from darkroom.errors import NotFound
from darkroom.jobs.control import APPROVAL
from darkroom.models import Account, Job, Render, RenderState
from darkroom_manifests.tier import Tier

_LIKE: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """A job at one moment. Money in nano-dollars; `simulated`: nothing of it is real money.

    `needs_approval`: some of it is held until a person agrees to its cost.
    """

    id: str
    name: str
    source: str | None
    state: str
    created_at: datetime
    finished_at: datetime | None
    deliver_by: datetime | None
    priority: int
    storage_url: str
    output_path: str
    rows: int
    invalid: int
    unchanged: int
    shared: int
    catalog: str | None
    total: int
    held: int
    pending: int
    waiting: int
    sent: int
    submitted: int
    done: int
    refused: int
    failed: int
    cancelled: int
    cap_nusd: int | None
    reserved_nusd: int
    spent_nusd: int
    at_risk_nusd: int
    likely_nusd: int
    simulated: bool
    needs_approval: bool

    @property
    def finished(self) -> int:
        """Renders that nothing more will happen to."""
        return self.done + self.refused + self.failed + self.cancelled

    @property
    def folder(self) -> str:
        """Where its images are: its own folder where the output path begins with one."""
        root = self.storage_url.rstrip("/") or "/"
        return f"{root}/{self.id}" if self.output_path.startswith("{job}/") else root

    @property
    def is_finished(self) -> bool:
        """Whether every render is."""
        return self.finished == self.total


def find_job(connection: Connection, name: str) -> str:
    """The id of a job by its id, the beginning or end of it, or "last". Raises NotFound."""
    if name == "last":
        query = (
            select(Job.id)
            .where(Job.loaded_at.is_not(None))
            .order_by(Job.created_at.desc(), Job.id.desc())
        )
        found = connection.scalars(query.limit(1)).all()
    else:
        plain = name.translate(_LIKE)
        matches = Job.id.like(f"{plain}%", escape="\\") | Job.id.like(f"%{plain}", escape="\\")
        found = connection.scalars(select(Job.id).where(matches).limit(2)).all()
    if len(found) == 1:
        return found[0]
    said = f"{name} names more than one job." if found else f"There is no job {name}."
    raise NotFound(said, hint="`darkroom job ls` lists them.")


def job_states(connection: Connection, job_ids: Sequence[str] | None = None) -> list[JobState]:
    """Jobs as they stand, the newest first; all of them without ids."""
    query = (
        select(Job).where(Job.loaded_at.is_not(None)).order_by(Job.created_at.desc(), Job.id.desc())
    )
    if job_ids is not None:
        query = query.where(Job.id.in_(job_ids))
    jobs = connection.execute(query).all()
    real = _with_real_money(connection, [job.id for job in jobs])
    asking = _needing_approval(connection, [job.id for job in jobs if job.held])
    accounts = ledger.balances(connection, [Account.scope_of(job.id) for job in jobs])
    return [
        _state(
            job,
            accounts[Account.scope_of(job.id)],
            is_real=job.id in real,
            needs_approval=job.id in asking,
        )
        for job in jobs
    ]


def _needing_approval(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    waits = (Render.state == RenderState.HELD) & (Render.reason == APPROVAL)
    query = select(Job.id).where(
        Job.id.in_(job_ids), select(Render.id).where(Render.job_id == Job.id, waits).exists()
    )
    return set(connection.scalars(query)) if job_ids else set()


def _with_real_money(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    real = [tier.value for tier in Tier if not tier.is_simulated]
    query = select(Job.id).where(
        Job.id.in_(job_ids),
        select(Render.id).where(Render.job_id == Job.id, Render.tier.in_(real)).exists(),
    )
    return set(connection.scalars(query))


def _state(
    job: db.AnyRow, account: ledger.Balance, *, is_real: bool, needs_approval: bool
) -> JobState:
    counts = {state.value: getattr(job, state.value) for state in RenderState}
    return JobState(
        id=job.id,
        name=job.name,
        source=job.source,
        state=word(job),
        created_at=job.created_at,
        finished_at=job.finished_at,
        deliver_by=job.deliver_by,
        priority=job.priority,
        storage_url=job.storage_url,
        output_path=job.output_path,
        rows=job.rows,
        invalid=job.invalid,
        unchanged=job.unchanged,
        shared=job.shared,
        catalog=job.catalog,
        total=sum(counts.values()),
        cap_nusd=account.cap_nusd,
        reserved_nusd=account.reserved_nusd,
        spent_nusd=account.spent_nusd,
        at_risk_nusd=account.at_risk_nusd,
        likely_nusd=job.likely_nusd,
        simulated=not is_real,
        needs_approval=needs_approval,
        **counts,
    )


def word(job: db.AnyRow) -> str:
    """Say in a word how a job stands."""
    stopped = job.held and job.held + job.waiting
    unfinished = job.held + job.waiting + job.pending + job.sent + job.submitted
    if not unfinished:
        return "cancelled" if job.cancelled_at is not None and job.cancelled else "finished"
    if job.paused:
        return "paused"
    return "held" if stopped == unfinished else "running"
