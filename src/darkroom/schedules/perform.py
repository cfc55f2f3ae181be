"""Does one run: rows, plan, job. Whatever ends it in between, the next one goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from typing import Any

import structlog
from sqlalchemy import Connection

from darkroom import db
from darkroom.client import Darkroom, Job
from darkroom.consent import rejected
from darkroom.draft import Choices
from darkroom.errors import DarkroomError, SpendRefused
from darkroom.jobs import load
from darkroom.killpoints import Point, come_past
from darkroom.manifest import Manifest
from darkroom.models import RunState
from darkroom.plan import Plan
from darkroom.schedules import books
from darkroom.schedules.entry import Entry, RunEntry
from darkroom.schedules.gather import Gatherer
from darkroom.schedules.terms import too_dear
from darkroom.selection import Select
from darkroom_manifests.money import short_dollars
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)


class Performance:
    """One run in the hands of one scheduler, whose name is `who`."""

    def __init__(self, room: Darkroom, run_id: str, who: str) -> None:
        self._room = room
        self._who = who
        with db.reading(room.database) as connection:
            self._run: RunEntry = books.run(connection, run_id)
            self._entry: Entry = books.owner(connection, self._run)
            self._unloaded = books.unloaded(connection, self._run.key)
            self._earlier = load.by_idempotency_key(connection, self._run.key)

    def perform(self) -> None:
        """Bring the run to a job, or to its end with a reason."""
        place = self._room.settings.home / "schedules" / self._run.id
        if self._unloaded is not None:  # whoever loaded it died: one scheduler has a run
            self._write(lambda connection: load.discard(connection, self._unloaded or ""))
        elif self._earlier is not None:  # whoever submitted it died before the run knew
            self._adopt(self._room.job(self._earlier))
            return
        try:
            choices = self._choices()
            day = date.fromisoformat(self._run.local_date)
            manifest = Gatherer(self._entry, self._room.settings, choices, place).gather(day)
            come_past(Point.GATHERED, self._run.id)
            self._submit(manifest, choices)
        except DarkroomError as error:
            self._end(RunState.FAILED, f"{error.message} {error.hint or ''}".strip())
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _adopt(self, job: Job) -> None:
        waits = f"it waits for approval: darkroom job approve {job.id}, or job reject"
        said = waits if job.state.needs_approval else None
        who, run_id = self._who, self._run.id
        self._write(lambda connection: books.submitted(connection, run_id, who, job.id, said))

    def _choices(self) -> Choices:
        terms = self._entry.terms
        # A batch with a deadline is finished on demand before it; here its own rule says when.
        is_batch = isinstance(terms.tier, Tier) and terms.tier.is_batch
        due = None if is_batch else self._run.deadline_at
        return Choices(
            tier=terms.tier,
            model=terms.model,
            template=terms.template,
            deliver_by=due,
            ask=terms.ask,
            deliver_turns=terms.deliver_turns,
            labels=terms.labels,
        )

    def _submit(self, manifest: Manifest, choices: Choices) -> None:
        terms = self._entry.terms
        plan = self._room.plan(
            manifest, choices=choices, select=Select(terms.select), catalog=terms.catalog
        )
        if plan.end is not None or (plan.problems and not plan.rows):
            raise rejected(plan)
        if not plan.rows:
            self._end(RunState.FAILED, "There are no rows in it.")
        elif not plan.renders:
            self._end(RunState.DONE, f"Nothing to make: {plan.unchanged:,} images are unchanged.")
        else:
            job, reason = self._sent(plan)
            come_past(Point.SUBMITTED, self._run.id)
            self._note(job, reason, plan)

    def _sent(self, plan: Plan) -> tuple[Job, str | None]:
        """Submit it, or hold it for approval; nothing is left out to stay below a cap."""
        most, likely = self._entry.terms.max_cost, short_dollars(plan.likely_nusd)
        if most is not None and too_dear(plan.likely_nusd, most):
            return self._held(plan, f"about {likely} is above max_cost ${most:f}")
        try:
            job = self._room.submit(plan, max_cost=most, **self._how())
        except SpendRefused as error:
            return self._held(plan, error.message.removesuffix("."))
        return job, None

    def _held(self, plan: Plan, why: str) -> tuple[Job, str]:
        job = self._room.submit(plan, hold=True, **self._how())
        reason = f"{why}: darkroom job approve {job.id}, or job reject"
        _log.warning("a run waits for approval", schedule=self._entry.name, job=job.id, why=why)
        return job, reason

    def _how(self) -> dict[str, Any]:
        name = f"{self._entry.name} {self._run.local_date}"
        return {"idempotency_key": self._run.key, "accept_valid": True, "name": name}

    def _note(self, job: Job, reason: str | None, plan: Plan) -> None:
        left_out = f"{plan.invalid:,} bad rows are left out" if plan.invalid else None
        said = "; ".join(filter(None, (reason, left_out))) or None
        who, run_id = self._who, self._run.id
        self._write(lambda connection: books.submitted(connection, run_id, who, job.id, said))
        _log.info("a run is a job", schedule=self._entry.name, job=job.id, renders=plan.renders)

    def _end(self, state: RunState, reason: str) -> None:
        run, who = self._run, self._who
        if self._write(lambda connection: books.end(connection, run, state, reason, who)):
            tell = _log.error if state is RunState.FAILED else _log.info
            tell("a run ended", schedule=self._entry.name, state=state, why=reason)

    def _write(self, work: Callable[[Connection], bool | None]) -> bool | None:
        return db.transact(self._room.database, work)
