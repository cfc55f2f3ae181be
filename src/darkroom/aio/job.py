"""A handle on one job, for an event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from darkroom import live
from darkroom.aio.beside import Beside
from darkroom.aio.reviews import AsyncReviews
from darkroom.consent import Amount
from darkroom.errors import StillPending
from darkroom.export import Exported
from darkroom.handle import Job
from darkroom.models import RenderState, Rest
from darkroom.report import (
    Batching,
    Costs,
    JobState,
    Quarantined,
    Reason,
    Rejected,
    Result,
    Waste,
)

_POLL_SECONDS: Final = 0.2


class AsyncJob:
    """`darkroom.Job` with the same names; see there. Nothing lives in it but the id."""

    def __init__(self, job: Job, beside: Beside, render_here: Callable[[], None]) -> None:
        self.id = job.id
        self._job = job
        self._beside = beside
        self._render_here = render_here

    def __repr__(self) -> str:
        return f"AsyncJob({self.id!r})"

    async def state(self) -> JobState:
        """See `Job.state`."""
        return await self._beside.call(lambda: self._job.state)

    async def cost(self) -> Costs:
        """See `Job.cost`."""
        return await self._beside.call(lambda: self._job.cost)

    def results(
        self, states: Sequence[RenderState] = (), *, turns: bool = False
    ) -> AsyncIterator[Result]:
        """See `Job.results`."""
        return self._beside.each(lambda: self._job.results(states, turns=turns))

    async def stream(
        self,
        states: Sequence[RenderState] = (),
        *,
        after: datetime | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the same as `Job.stream`, and its error
    ) -> AsyncIterator[Result]:
        """See `Job.stream`; no thread waits meanwhile."""
        ends = _end(timeout)
        stream = self._job.reader(states, after)
        while True:
            news = await self._beside.call(stream.news)
            for result in news.results:
                yield result
            if news.is_over:
                return
            if news.is_all:
                await self._pause(ends)

    async def reasons(self) -> list[Reason]:
        """See `Job.reasons`."""
        return await self._beside.call(self._job.reasons)

    async def waits(self) -> list[Rest]:
        """See `Job.waits`."""
        return await self._beside.call(self._job.waits)

    async def batching(self) -> Batching | None:
        """See `Job.batching`."""
        return await self._beside.call(self._job.batching)

    def rejections(self) -> AsyncIterator[Rejected]:
        """See `Job.rejections`."""
        return self._beside.each(self._job.rejections)

    async def waste(self) -> list[Waste]:
        """See `Job.waste`."""
        return await self._beside.call(self._job.waste)

    def quarantined(self) -> AsyncIterator[Quarantined]:
        """See `Job.quarantined`."""
        return self._beside.each(self._job.quarantined)

    async def alike(self) -> list[list[str]]:
        """See `Job.alike`."""
        return await self._beside.call(self._job.alike)

    @property
    def reviews(self) -> AsyncReviews:
        """See `Job.reviews`."""
        return AsyncReviews(self._job.reviews, self._beside)

    async def export(
        self,
        kind: str,
        out: str | Path | BinaryIO,
        *,
        base_url: str | None = None,
        source: str | Path | None = None,
        raw: bool = False,
    ) -> Exported:
        """See `Job.export`."""
        return await self._beside.call(
            self._job.export, kind, out, base_url=base_url, source=source, raw=raw
        )

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the same as `Job.wait`, and its error
        *,
        tell: Callable[[JobState], None] = lambda _: None,
    ) -> JobState:
        """See `Job.wait`; no thread waits meanwhile."""
        ends = _end(timeout)
        while True:
            state, is_over = await self._beside.call(self._job.look)
            tell(state)
            if is_over:
                return state
            await self._pause(ends)

    async def watch(self, timeout: float | None = None) -> JobState:  # noqa: ASYNC109  # as `wait`
        """See `Job.watch`."""
        return await self.wait(timeout, tell=live.Watcher())

    async def _pause(self, ends: float) -> None:
        left = ends - asyncio.get_running_loop().time()
        if left <= 0:
            raise StillPending(f"{self.id} is not finished.", hint="It goes on meanwhile.")
        await self._beside.call(self._render_here)
        await asyncio.sleep(min(_POLL_SECONDS, left))

    async def pause(self) -> None:
        """See `Job.pause`."""
        await self._beside.call(self._job.pause)

    async def resume(self, max_cost: Amount | None = None) -> int:
        """See `Job.resume`."""
        return await self._beside.call(self._job.resume, max_cost)

    async def cancel(self) -> int:
        """See `Job.cancel`."""
        return await self._beside.call(self._job.cancel)

    async def approve(self) -> int:
        """See `Job.approve`."""
        return await self._beside.call(self._job.approve)

    async def reject(self) -> int:
        """See `Job.reject`."""
        return await self._beside.call(self._job.reject)

    async def retry(self, states: Sequence[RenderState] = (RenderState.FAILED,)) -> int:
        """See `Job.retry`."""
        return await self._beside.call(self._job.retry, states)


def _end(timeout: float | None) -> float:
    return math.inf if timeout is None else asyncio.get_running_loop().time() + timeout
