"""Follows the jobs of runs: their end, their deadline, and whether too much goes wrong."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Connection, select

from darkroom import ledger
from darkroom.db import AnyRow
from darkroom.jobs import batches, control, reroute
from darkroom.models import Account, Batch, Job, Render, RenderState, RunState
from darkroom.registry import Registry
from darkroom.schedules import books
from darkroom.schedules.entry import Entry, RunEntry
from darkroom.settings import Settings
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)


class Follower:
    """Looks at jobs of runs. Any number may: each step changes something once."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry

    def look(self, connection: Connection, run: RunEntry, now: datetime) -> None:
        """Look at one run that is a job."""
        entry = books.owner(connection, run)
        job = connection.execute(select(Job.__table__).where(Job.id == run.job_id)).one()
        if job.finished_at is not None:
            state, reason = _verdict(job, run)
            self._end(connection, entry, run, state, reason)
        elif (said := _trips(entry, job)) is not None:
            control.pause(connection, job.id)
            reason = f"circuit breaker: {said}; the job is paused: darkroom job resume {job.id}"
            self._end(connection, entry, run, RunState.FAILED, reason)
        elif run.deadline_at is not None and now >= run.deadline_at:
            self._hurry(connection, entry, run, job)

    def _end(
        self, connection: Connection, entry: Entry, run: RunEntry, state: RunState, reason: str
    ) -> None:
        if books.end(connection, run, state, reason or None):
            tell = _log.error if state is RunState.FAILED else _log.info
            tell("a run ended", schedule=entry.name, job=run.job_id, state=state, why=reason)

    def _hurry(self, connection: Connection, entry: Entry, run: RunEntry, job: AnyRow) -> None:
        """Do what is to be done at the deadline; moving goes on while batches give lines back."""
        rule = entry.terms.on_deadline
        said = f"{entry.terms.deadline} is past: {rule.action} {rule.tier or ''}".strip()
        is_first = books.deadline_is_past(connection, run.id, said)
        if is_first:
            _log.warning("a deadline is past", schedule=entry.name, job=job.id, action=rule.action)
        if rule.action == "stop" and is_first:
            control.cancel(connection, job.id)
        if rule.action == "move_to" and rule.tier is not None:
            if is_first:
                self._call_back(connection, entry, job.id)
            self._move(connection, job.id, rule.tier)

    def _call_back(self, connection: Connection, entry: Entry, job_id: str) -> None:
        """Let its batches end early, and cap what may be spent from now on."""
        open_ones = connection.scalars(select(Batch.id).where(Batch.job_id == job_id)).all()
        batches.ask_to_cancel(connection, open_ones, "the deadline of its schedule is past")
        most = entry.terms.on_deadline.max_cost
        if most is not None:
            scope = Account.scope_of(job_id)
            so_far = ledger.balances(connection, [scope])[scope]
            cap = so_far.spent_nusd + so_far.reserved_nusd + int(most * NANO)
            control.set_cap(connection, job_id, cap)

    def _move(self, connection: Connection, job_id: str, instead: Tier) -> None:
        elsewhere = (Render.state == RenderState.PENDING) & (Render.tier != instead)
        tiers = select(Render.tier).distinct().where(Render.job_id == job_id, elsewhere)
        for tier in map(Tier, connection.scalars(tiers).all()):
            moved = reroute.move(connection, job_id, tier, instead, self._registry, self._settings)
            if moved:
                _log.warning("renders move", job=job_id, tier=tier, to=instead, renders=moved)


def _verdict(job: AnyRow, run: RunEntry) -> tuple[RunState, str]:
    """How a run ended whose job is over."""
    bad = job.failed + job.refused
    said = [run.reason] if run.reason and "is past" in run.reason else []
    if bad:
        said.append(f"{bad:,} of {job.done + bad:,} images were refused or failed")
    if job.cancelled:
        said.append(f"{job.cancelled:,} were cancelled")
    state = RunState.FAILED if bad and not job.done else RunState.DONE
    return state, "; ".join(said)


def _trips(entry: Entry, job: AnyRow) -> str | None:
    """Whether so much goes wrong that nothing more is to be sent."""
    breaker, bad = entry.terms.circuit_breaker, job.failed + job.refused
    over = job.done + bad
    if breaker is None or over < breaker.min_items or bad < breaker.failed_ratio * over:
        return None
    return f"{bad:,} of {over:,} images were refused or failed"
