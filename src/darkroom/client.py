"""The door: what a program, the command line or a schedule asks Darkroom for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import Engine

from darkroom import db, embedded, gauges, hindsight, queue
from darkroom.alternatives import Alternative, alternatives
from darkroom.batches import Batches
from darkroom.configure import load as load_settings
from darkroom.consent import Amount, nano_dollars, require
from darkroom.draft import Choices, Draft
from darkroom.handle import Job
from darkroom.idle import is_unfinished
from darkroom.jobs import load, rests
from darkroom.jobs.control import APPROVAL
from darkroom.jobs.load import NewJob
from darkroom.models import Rest
from darkroom.plan import Plan
from darkroom.plan_file import PlanFile
from darkroom.planner import Planner
from darkroom.portions import Portions
from darkroom.price_list import registry_of
from darkroom.report import (
    Allowance,
    Costs,
    JobState,
    TierState,
    WorkerState,
    allowances,
    costs,
    find_job,
    holders,
    job_states,
    outlook,
    pending_on,
    tier_states,
    worker_states,
)
from darkroom.router import Market, Outlook
from darkroom.selection import Select, Selection, named
from darkroom.settings import Settings
from darkroom.source import Source, manifest_of, reading_of
from darkroom.submission import store
from darkroom.template_folder import TemplateText
from darkroom_manifests.problem import Problem
from darkroom_manifests.tier import AUTO, Tier

__all__ = ["Darkroom", "Job"]


class Darkroom:
    """Plans, submits and watches. Cheap to make; one may be used by many threads.

    After a fork make a new one: connections cannot be shared.
    """

    def __init__(self, settings: Settings | None = None, **flags: Any) -> None:
        """Take the settings, or load them; `flags` are settings such as `storage_url="out"`."""
        self.settings = settings or load_settings(flags).settings
        self.registry = registry_of(self.settings)
        self._engine: Engine | None = None
        self._bell: Celery | None = None
        self._opening = threading.RLock()

    @property
    def database(self) -> Engine:
        """The engine, opened at first use; the embedded database is brought up to date."""
        with self._opening:
            if self._engine is None:
                engine = db.open_engine(self.settings.sql_url)
                if self.settings.database_url is None and db.revision(engine) != db.head():
                    db.upgrade(engine)
                db.require_head(engine)
                self._engine = engine
            return self._engine

    def close(self) -> None:
        """Let go of database and broker. Jobs go on."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
            if self._bell is not None:
                self._bell.close()
            self._engine = self._bell = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def plan(
        self,
        manifest: Source,
        *,
        choices: Choices | None = None,
        again: bool = False,
        select: Select = Select.MISSING,
        limit: int | None = None,
        catalog: str | None = None,
        share: bool = True,
        keep: bool = True,
        tell: Callable[[int], None] = lambda _: None,
    ) -> Plan:
        """Say what a manifest would do and cost; nothing is stored or sent, nothing raised for it.

        `again` renders also what is made already, as `Select.ALL` does; `limit` reads that many
        good rows only. With `catalog` its rows are known by their ids, so that the plan says which
        are new, changed and removed. Without `share` rows that ask for the same picture each have
        one of their own. What would be stored is kept with the plan, in a file that goes with it,
        so that `submit` need not judge each row again; `keep=False` saves that where nothing will
        be submitted. Raises ConfigInvalid for a catalog's name that is none.
        """
        select = Select.ALL if again else Select(select)
        selection = Selection(select=select, limit=limit, catalog=named(catalog), share=share)
        again = select is Select.ALL and catalog is None
        # With `again` the books are not asked, so a manifest can be checked where there are none.
        has_books = self._engine is not None or not again
        seen = self._outlook() if has_books else Outlook(datetime.now(UTC))
        choices = choices or Choices()
        kept = Portions(self.database, self.settings.home) if keep and has_books else None
        planner = self._planner(choices, seen, selection)
        return planner.plan(manifest_of(manifest, reading_of(self.settings, choices)), tell, kept)

    def plan_from(self, path: str | Path, tell: Callable[[int], None] = lambda _: None) -> Plan:
        """Plan anew what a file of `PlanFile.write` says; submitting the plan does exactly that.

        Raises PlanOutdated when manifest, prices or books are others than they were; NotFound,
        ConfigInvalid.
        """
        kept = PlanFile.read(Path(path))
        choices, reading = kept.as_chosen(), reading_of(self.settings, kept.as_chosen())
        planner = self._planner(choices, kept.outlook, kept.selection)
        ready = Portions(self.database, self.settings.home)
        plan = planner.plan(manifest_of(kept.require_manifest(), reading), tell, ready)
        kept.require(plan, Market(self.settings, self.registry, Outlook(datetime.now(UTC))))
        return plan

    def drafts(self, plan: Plan) -> Iterator[Draft]:
        """The rows of a plan as they would be asked for, prompts filled; the books play no part."""
        planner = self._planner(plan.choices, plan.outlook, _every(plan))
        for chunk in planner.chunks(plan.manifest):
            yield from chunk.drafts

    def problems(self, plan: Plan) -> Iterator[Problem]:
        """All that is wrong with a plan's rows, read anew; the plan itself keeps the first."""
        planner = self._planner(plan.choices, plan.outlook, _every(plan))
        for chunk in planner.chunks(plan.manifest):
            yield from chunk.errors

    def _outlook(self) -> Outlook:
        url = self._running_broker()
        adaptive = [t for t in self.settings.candidates() if self.settings.limits(t).adaptive]
        seen = gauges.look(url, adaptive) if url is not None and adaptive else None
        with db.reading(self.database) as connection:
            return outlook(connection, self.settings, seen)

    def _planner(self, choices: Choices, seen: Outlook, selection: Selection) -> Planner:
        is_blind = selection.select is Select.ALL and selection.catalog is None
        asks_nothing = is_blind and self._engine is None
        books = db.open_engine("sqlite://") if asks_nothing else self.database
        is_patient = self._is_patient(choices)
        market = Market(self.settings, self.registry, seen, is_patient=is_patient)
        return Planner(books, self.settings, market, choices, selection)

    def _is_patient(self, choices: Choices) -> bool:
        """Whether somebody asked for a tier to be chosen: then slow and cheap ones count, too."""
        own = self.settings
        asked = AUTO in (choices.tier, own.defaults.tier) or own.router.tiers is not None
        return asked or choices.deliver_by is not None

    def alternatives(self, plan: Plan) -> list[Alternative]:
        """What else could be done with a plan's manifest, with cost and time; the plan first."""
        return alternatives(plan, self.settings, Market(self.settings, self.registry, plan.outlook))

    def submit(
        self,
        manifest: Plan | Source,
        *,
        max_cost: Amount | None = None,
        idempotency_key: str | None = None,
        accept_valid: bool = False,
        consent: bool = False,
        name: str | None = None,
        priority: int = 0,
        deliver_by: datetime | None = None,
        hold: bool = False,
        mapping: Mapping[str, str] | None = None,
        template: str | TemplateText | None = None,
        ask: Mapping[str, object] | None = None,
        deliver_turns: bool | None = None,
        labels: Mapping[str, str] | None = None,
        catalog: str | None = None,
        share: bool = True,
        tell: Callable[[int], None] = lambda _: None,
    ) -> Job:
        """Store a manifest's renders and ring for them; from its return on nothing can be lost.

        Raises ManifestRejected for bad rows unless `accept_valid`, ConsentNeeded above
        `budget.confirm_above` unless a cap or `consent` is given, CapTooLow, CredentialsMissing,
        PlanOutdated. The same `idempotency_key` gives the same job. Without `deliver_by` that of
        the plan's choices counts, or else the earliest of the rows; tiers are chosen as they were
        in the plan. With `hold` nothing is sent or reserved until `Job.approve`, so no consent is
        needed yet. `mapping`, `template`, `ask`, `deliver_turns` and `labels` are those of
        `Choices`, `catalog` and `share` those of `plan`; a plan has its own.
        """
        if idempotency_key is not None and (earlier := self._by_key(idempotency_key)):
            return self.job(earlier)
        choices = Choices(
            deliver_by=deliver_by,
            mapping=dict(mapping or {}),
            template=template,
            ask=dict(ask or {}),
            deliver_turns=deliver_turns,
            labels=dict(labels or {}),
        )
        if isinstance(manifest, Plan):
            plan = manifest
        else:
            plan = self.plan(manifest, choices=choices, catalog=catalog, share=share)
        cap_nusd = None if max_cost is None else nano_dollars(max_cost)
        consent |= hold
        require(plan, self.settings, cap_nusd, accept_valid=accept_valid, consent=consent)
        job = NewJob(
            name=name or plan.manifest.name,
            source=plan.manifest.source,
            manifest_sha256=plan.sha256,
            idempotency_key=idempotency_key,
            catalog=plan.selection.catalog,
            deliver_by=deliver_by or plan.deliver_by,
            priority=priority,
            cap_nusd=cap_nusd,
            output_path=self.settings.output.path,
            storage_url=_absolute(self.settings.storage_url),
            hold=APPROVAL if hold else None,
        )

        def planner() -> Planner:
            return self._planner(plan.choices, plan.outlook, plan.selection)

        job_id = store(self.database, plan, job, tell, planner)
        self.ring(plan.tiers)
        return Job(self, job_id)

    def _by_key(self, key: str) -> str | None:
        with db.reading(self.database) as connection:
            return load.by_idempotency_key(connection, key)

    def ring(self, tiers: Sequence[str]) -> None:
        """Tell the fleet; the clock tells it again if the broker is away."""
        url = self.settings.broker_url
        if url is None or not tiers:
            return
        with self._opening:
            self._bell = bell = self._bell or queue.open_queue(url)
        try:
            queue.ring(bell, map(Tier, tiers))
        except OperationalError:
            return

    def render_here(self, *, workers: int = 1, with_simulator: bool | None = None) -> None:
        """In embedded mode, see that a local stack is at work; with a broker, do nothing."""
        if not self.settings.is_embedded:
            return
        if with_simulator is None:
            with_simulator = self._needs_simulator()
        embedded.ensure(self.settings, with_simulator=with_simulator, workers=workers)

    def _needs_simulator(self) -> bool:
        """Whether simulated renders are waiting, or were sent by a worker that may be dead."""
        with db.reading(self.database) as connection:
            return any(is_unfinished(connection, tier) for tier in Tier if tier.is_simulated)

    def job(self, name: str) -> Job:
        """A handle on a job by its id, the beginning or end of it, or "last". Raises NotFound."""
        with db.reading(self.database) as connection:
            return Job(self, find_job(connection, name))

    def jobs(self) -> list[JobState]:
        """All jobs as they stand, the newest first."""
        with db.reading(self.database) as connection:
            return job_states(connection)

    def under_way(self, plan: Plan) -> list[Job]:
        """The jobs that still have pictures of this manifest to make, the newest first."""
        if all(state.is_finished for state in self.jobs()):
            return []
        found: set[str] = set()
        planner = self._planner(plan.choices, plan.outlook, _every(plan))
        for chunk in planner.chunks(plan.manifest):
            names = [name for draft in chunk.drafts for name in draft.prints]
            with db.reading(self.database) as connection:
                found |= holders(connection, names)
        return [Job(self, state.id) for state in self.jobs() if state.id in found]

    def costs(self, since: datetime | None = None) -> Costs:
        """What all jobs cost."""
        with db.reading(self.database) as connection:
            return costs(connection, since=since)

    def workers(self, *, ended_too: bool = False) -> list[WorkerState]:
        """The worker processes that live or hold anything, and those of the last day, or all."""
        with db.reading(self.database) as connection:
            return worker_states(connection, ended_too=ended_too)

    @property
    def batches(self) -> Batches:
        """The provider batches of all jobs."""
        return Batches(self)

    def pause(self, tier: Tier) -> None:
        """Send nothing more on a tier until `wake`; what is in flight comes home."""
        hint = f"`darkroom tier resume {tier}` goes on."
        with db.writing(self.database) as connection:
            rests.rest(connection, tier, seconds=None, reason=rests.PAUSED, hint=hint)

    def waiting(self, tier: Tier) -> int:
        """How many renders of all jobs wait to be sent on a tier."""
        with db.reading(self.database) as connection:
            return pending_on(connection, tier)

    def price_factor(self, tier: Tier) -> float | None:
        """What an image of the default model costs there, of the same tier's price on demand."""
        return self.registry.price_factor(self.registry.default_model, tier, datetime.now(UTC))

    def rests(self) -> Sequence[Rest]:
        """The tiers and models that send nothing now, and why."""
        with db.reading(self.database) as connection:
            return rests.current(connection)

    def pause_all(self) -> bool:
        """Send nothing more of any job, within two seconds; False when that was so already.

        What is in flight comes home, is paid for and kept.
        """
        with db.writing(self.database) as connection:
            return rests.stop_everything(connection)

    def resume_all(self) -> bool:
        """Take `pause_all` back; False when nothing had been paused.

        It also trusts books that were found older than what was sent: that is a person's word.
        """
        was_paused = any(rest.reason == rests.BOOKS_ARE_OLD for rest in self.rests())
        if was_paused:
            hindsight.trust(self.database, self._running_broker())
        with db.writing(self.database) as connection:
            was_paused |= rests.go_on(connection)
        self.ring(list(Tier))
        return was_paused

    def judge_books(self, *, are_whole: bool) -> None:
        """Say what a comparison with storage came to: send by these books again, or not."""
        if are_whole:
            hindsight.trust(self.database, self._running_broker())
        else:
            hindsight.distrust(self.database)

    def allowances(self) -> list[Allowance]:
        """What real money was spent today and ever, beside its caps."""
        with db.reading(self.database) as connection:
            return allowances(connection, self.settings.budget)

    def tiers(self) -> list[TierState]:
        """Every tier: its limits, what was sent lately, what rates were learned, why it rests."""
        url = self._running_broker()
        seen = None if url is None else gauges.look(url, list(Tier))
        with db.reading(self.database) as connection:
            return tier_states(connection, self.settings, seen)

    def wake(self, tier: Tier) -> int:
        """Let a tier send again after somebody mended what stopped it; how many rests ended."""
        with db.writing(self.database) as connection:
            ended = rests.wake(connection, tier)
        if (url := self._running_broker()) is not None:
            gauges.wake(url, tier)
        return ended

    def _running_broker(self) -> str | None:
        if self.settings.broker_url is not None:
            return self.settings.broker_url
        stack = embedded.find(self.settings.home)
        return None if stack is None else stack.broker_url


def _absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).absolute())


def _every(plan: Plan) -> Selection:
    """All of a plan's rows, whatever the books have."""
    return Selection(select=Select.ALL, limit=plan.selection.limit)
