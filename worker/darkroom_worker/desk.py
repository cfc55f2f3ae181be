"""The desk where answers come home: settled many at a time, uploaded many at a time.

An answer whose picture cannot be stored waits here, on disk, and keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog

from darkroom.jobs.close import Closing
from darkroom.killpoints import Point, reach
from darkroom.settings import Settings
from darkroom_worker.answer import Answer, Shipment
from darkroom_worker.poison import AWAY, settle_singly
from darkroom_worker.publish import Publisher
from darkroom_worker.settle import Settled, Settler
from darkroom_worker.spool import Spool
from darkroom_worker.telemetry import Telemetry

_log = structlog.get_logger(__name__)

Beside = Callable[..., Awaitable[Any]]
"""Runs a function with its arguments in the SQL thread."""

_SETTLE_AT_MOST: Final = 500  # attempts a transaction
_GATHER_SECONDS: Final = 0.2  # how long answers wait for company before they are settled
_AGAIN_SECONDS: Final = 2.0  # first pause after the database or the storage failed
_LONGEST_PAUSE: Final = 15.0


class Desk:
    """All answers of a process that are not in the books yet. Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        settler: Settler,
        publisher: Publisher,
        spool: Spool,
        telemetry: Telemetry,
        beside: Beside,
    ) -> None:
        self._most_waiting = settings.worker.most_waiting
        self._settler = settler
        self._publisher = publisher
        self._spool = spool
        self._telemetry = telemetry
        self._beside = beside
        self._uploads = ThreadPoolExecutor(settings.gcs.uploads, thread_name_prefix="upload")
        self._answers: asyncio.Queue[Answer] = asyncio.Queue()
        self._away: set[asyncio.Task[None]] = set()
        self._open = 0
        self._all_home = asyncio.Event()
        self._all_home.set()
        self._settling = asyncio.create_task(self._settle_forever())

    def put(self, closing: Closing) -> None:
        """Take an answer in."""
        self._open += 1
        self._all_home.clear()
        self._answers.put_nowait(Answer(closing))

    @property
    def is_full(self) -> bool:
        """Whether so many answers wait for their place or the books that no more should be paid."""
        return self._open >= self._most_waiting

    async def come_home(self, seconds: float) -> bool:
        """Wait until all that was taken in is settled; False when time ran out before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._all_home.wait()
        return self._open == 0

    def close(self) -> None:
        """Let go of everything; what is not settled stays in the spool."""
        if self._open:
            _log.error("answers stay in the spool", how_many=self._open)
        self._settling.cancel()
        for task in self._away:
            task.cancel()
        self._uploads.shutdown(wait=False, cancel_futures=True)

    async def _settle_forever(self) -> None:
        while True:
            answers = [await self._answers.get()]
            await asyncio.sleep(_GATHER_SECONDS)
            self._gather(answers)
            settled = await self._settle(answers)
            for upload in settled.upload:
                self._send_away(self._upload(upload))
            for unwanted in settled.withdraw:
                self._send_away(self._withdraw(unwanted))
            for answer in settled.again:
                self._send_away(self._again(answer))
            open_still = len(settled.upload) + len(settled.withdraw) + len(settled.again)
            self._forget(len(answers) - open_still)

    def _gather(self, answers: list[Answer]) -> None:
        """Take along what has come in meanwhile."""
        while not self._answers.empty() and len(answers) < _SETTLE_AT_MOST:
            answers.append(self._answers.get_nowait())

    async def _settle(self, answers: list[Answer]) -> Settled:
        """Settle, again and again while the books fail; newcomers are noted meanwhile."""
        settle = self._settler.settle
        while True:
            try:
                settled: Settled = await self._beside(self._book, settle, answers)
            except AWAY as error:
                _log.error("answers wait in the spool", how_many=len(answers), error=error)
                await asyncio.sleep(_AGAIN_SECONDS)
                self._gather(answers)
            except Exception:  # noqa: BLE001  # a defect must not hold up the other answers
                _log.exception("answers cannot be booked together", how_many=len(answers))
                settle = partial(settle_singly, self._settler)
            else:
                return settled

    def _book(
        self, settle: Callable[[Sequence[Answer], Spool], Settled], answers: Sequence[Answer]
    ) -> Settled:
        """Settle in the SQL thread, and tell those who watch."""
        began = time.monotonic()
        settled = settle(answers, self._spool)
        self._telemetry.settled(settled.booked, settled.steps, time.monotonic() - began)
        return settled

    def _send_away(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._away.add(task)
        task.add_done_callback(self._away.discard)

    async def _upload(self, shipment: Shipment) -> None:
        """Upload from a thread of the pool; then the answer is settled with the next batch."""
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._uploads, self._publisher.publish, shipment)
        except Exception as fault:  # noqa: BLE001  # whatever fails, the answer must come again
            _log.error(
                "a picture waits in the spool",
                attempt=shipment.parcel.owner,
                error=fault,
                hint=getattr(fault, "hint", None),
            )
            await self._again(shipment.answer.tried())
        else:
            if answer.stored is not None and answer.stored.uri != shipment.parcel.name:
                self._telemetry.name_taken()
            reach(Point.PUBLISHED, (answer,))
            self._answers.put_nowait(answer)

    async def _again(self, answer: Answer) -> None:
        """Bring an answer back after a pause that doubles."""
        longest = min(_LONGEST_PAUSE, _AGAIN_SECONDS * 2 ** min(answer.tries - 1, 10))
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  # spreads load, guards nothing
        self._answers.put_nowait(answer)

    async def _withdraw(self, shipment: Shipment) -> None:
        """Take an object back that is nobody's; the picture is kept aside after that."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._uploads, self._publisher.withdraw, shipment)
        while True:
            try:
                await self._beside(self._settler.forget, [shipment.answer], (), self._spool)
            except OSError as error:
                _log.error("the spool cannot be written", error=error)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                break
        self._forget(1)

    def _forget(self, how_many: int) -> None:
        self._open -= how_many
        if self._open == 0:
            self._all_home.set()
