"""The door for programs with an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from darkroom.aio.batches import AsyncBatches
from darkroom.aio.beside import Beside
from darkroom.aio.job import AsyncJob
from darkroom.alternatives import Alternative
from darkroom.client import Darkroom
from darkroom.consent import Amount
from darkroom.draft import Choices, Draft
from darkroom.handle import Job
from darkroom.models import Rest
from darkroom.plan import Plan
from darkroom.report import Allowance, Costs, JobState, TierState, WorkerState
from darkroom.selection import Select
from darkroom.settings import Settings
from darkroom.source import Source
from darkroom.template_folder import TemplateText
from darkroom_manifests.problem import Problem
from darkroom_manifests.tier import Tier

Tell = Callable[[int], None]
"""Hears how many more rows were read, in a thread beside the loop."""


def _deaf(_: int) -> None:
    return


class AsyncDarkroom:
    """`darkroom.Darkroom` with the same names; see there. Of one event loop and one process."""

    def __init__(self, settings: Settings | None = None, **flags: Any) -> None:
        """Take the settings, or load them; see `Darkroom`."""
        self._room = Darkroom(settings, **flags)
        self._beside = Beside()
        self.settings = self._room.settings
        self.registry = self._room.registry

    async def close(self) -> None:
        """See `Darkroom.close`."""
        await self._beside.call(self._room.close)
        self._beside.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def plan(
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
        tell: Tell = _deaf,
    ) -> Plan:
        """See `Darkroom.plan`."""
        return await self._beside.call(
            self._room.plan,
            manifest,
            choices=choices,
            again=again,
            select=select,
            limit=limit,
            catalog=catalog,
            share=share,
            keep=keep,
            tell=tell,
        )

    async def plan_from(self, path: str | Path, tell: Tell = _deaf) -> Plan:
        """See `Darkroom.plan_from`."""
        return await self._beside.call(self._room.plan_from, path, tell)

    def drafts(self, plan: Plan) -> AsyncIterator[Draft]:
        """See `Darkroom.drafts`."""
        return self._beside.each(lambda: self._room.drafts(plan))

    def problems(self, plan: Plan) -> AsyncIterator[Problem]:
        """See `Darkroom.problems`."""
        return self._beside.each(lambda: self._room.problems(plan))

    async def alternatives(self, plan: Plan) -> list[Alternative]:
        """See `Darkroom.alternatives`."""
        return await self._beside.call(self._room.alternatives, plan)

    async def submit(
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
        tell: Tell = _deaf,
    ) -> AsyncJob:
        """See `Darkroom.submit`."""
        job = await self._beside.call(
            self._room.submit,
            manifest,
            max_cost=max_cost,
            idempotency_key=idempotency_key,
            accept_valid=accept_valid,
            consent=consent,
            name=name,
            priority=priority,
            deliver_by=deliver_by,
            hold=hold,
            mapping=mapping,
            template=template,
            ask=ask,
            deliver_turns=deliver_turns,
            labels=labels,
            catalog=catalog,
            share=share,
            tell=tell,
        )
        return self._handle(job)

    def _handle(self, job: Job) -> AsyncJob:
        return AsyncJob(job, self._beside, self._room.render_here)

    async def ring(self, tiers: Sequence[str]) -> None:
        """See `Darkroom.ring`."""
        await self._beside.call(self._room.ring, tiers)

    async def render_here(self, *, workers: int = 1, with_simulator: bool | None = None) -> None:
        """See `Darkroom.render_here`."""
        await self._beside.call(
            self._room.render_here, workers=workers, with_simulator=with_simulator
        )

    async def job(self, name: str) -> AsyncJob:
        """See `Darkroom.job`."""
        return self._handle(await self._beside.call(self._room.job, name))

    async def jobs(self) -> list[JobState]:
        """See `Darkroom.jobs`."""
        return await self._beside.call(self._room.jobs)

    async def under_way(self, plan: Plan) -> list[AsyncJob]:
        """See `Darkroom.under_way`."""
        return [self._handle(job) for job in await self._beside.call(self._room.under_way, plan)]

    async def costs(self, since: datetime | None = None) -> Costs:
        """See `Darkroom.costs`."""
        return await self._beside.call(self._room.costs, since)

    async def workers(self, *, ended_too: bool = False) -> list[WorkerState]:
        """See `Darkroom.workers`."""
        return await self._beside.call(self._room.workers, ended_too=ended_too)

    @property
    def batches(self) -> AsyncBatches:
        """See `Darkroom.batches`."""
        return AsyncBatches(self._room.batches, self._beside)

    async def pause(self, tier: Tier) -> None:
        """See `Darkroom.pause`."""
        await self._beside.call(self._room.pause, tier)

    async def waiting(self, tier: Tier) -> int:
        """See `Darkroom.waiting`."""
        return await self._beside.call(self._room.waiting, tier)

    async def price_factor(self, tier: Tier) -> float | None:
        """See `Darkroom.price_factor`."""
        return await self._beside.call(self._room.price_factor, tier)

    async def rests(self) -> Sequence[Rest]:
        """See `Darkroom.rests`."""
        return await self._beside.call(self._room.rests)

    async def pause_all(self) -> bool:
        """See `Darkroom.pause_all`."""
        return await self._beside.call(self._room.pause_all)

    async def resume_all(self) -> bool:
        """See `Darkroom.resume_all`."""
        return await self._beside.call(self._room.resume_all)

    async def judge_books(self, *, are_whole: bool) -> None:
        """See `Darkroom.judge_books`."""
        await self._beside.call(self._room.judge_books, are_whole=are_whole)

    async def allowances(self) -> list[Allowance]:
        """See `Darkroom.allowances`."""
        return await self._beside.call(self._room.allowances)

    async def tiers(self) -> list[TierState]:
        """See `Darkroom.tiers`."""
        return await self._beside.call(self._room.tiers)

    async def wake(self, tier: Tier) -> int:
        """See `Darkroom.wake`."""
        return await self._beside.call(self._room.wake, tier)
