"""All that a process renders on demand: what takes work, sends it, and settles the answers.

One event loop in a thread of its own carries every request of the process. SQL stays synchronous,
in one thread beside it; decoding and disk have a few threads. Nothing else is asynchronous.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Engine as Database

from darkroom import db
from darkroom.jobs.close import Closing
from darkroom.report import Past, past
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Break
from darkroom_worker.backends.seats import Seats
from darkroom_worker.breaker import Breaker
from darkroom_worker.desk import Desk
from darkroom_worker.developer import Developer
from darkroom_worker.flights import Flights
from darkroom_worker.lease import Lease
from darkroom_worker.limits import Limiter
from darkroom_worker.pace import Pace
from darkroom_worker.publish import Publisher
from darkroom_worker.sender import Sender
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool
from darkroom_worker.stops import Stops, read_stops
from darkroom_worker.taker import Taker
from darkroom_worker.telemetry import Telemetry
from darkroom_worker.turns import Turns

T = TypeVar("T")

_HANDS: Final = 4  # threads that decode, hash and write
_LOOK_SECONDS: Final = 0.25  # how soon a hurry is noticed
_LAST_SECONDS: Final = 8.0  # of the grace period, kept for the books


class Drained(msgspec.Struct, frozen=True):
    """How a process ended: answers that it gave up, and whether its spool is in the books."""

    given_up: int
    is_settled: bool


class Engine:
    """All that one process renders. `start` it once; `develop` may be called from any thread."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker_id: str,
        lease: Lease,
        database: Database,
        limiter: Callable[[], Limiter],
        developer: Developer,
        settler: Settler,
        publisher: Publisher,
        spool: Spool,
        telemetry: Telemetry,
        ring: Callable[[Sequence[Tier]], None],
    ) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._lease = lease
        self._database = database
        self._make_limiter = limiter
        self._developer = developer
        self._settler = settler
        self._publisher = publisher
        self._spool = spool
        self._telemetry = telemetry
        self._ring = ring
        self._sql = ThreadPoolExecutor(1, thread_name_prefix="sql")
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="hand")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)

    def start(self) -> None:
        """Begin: from here on `develop` works."""
        self._thread.start()
        self._wait(self._begin())

    async def _begin(self) -> None:
        self._pace = Pace(
            limiter=self._make_limiter(),
            settings=self._settings,
            recall=lambda tier: self._beside(self._past, tier),
            tokens_of=self._developer.prompt_tokens,
            flying=self._flying,
        )
        self._pace.start()
        self._flights = Flights()
        stops = partial(read_stops, self._database)
        self._stops = Stops(stops, lambda: self._flights.are_waiting)
        self._stops.start()
        self._desk = Desk(
            self._settings,
            self._settler,
            self._publisher,
            self._spool,
            self._telemetry,
            self._beside,
        )
        self._taker = self._made_taker()

    def _made_taker(self) -> Taker:
        breaker = Breaker(self._settings.rules)
        sender = Sender(
            developer=self._developer,
            spool=self._spool,
            lease=self._lease,
            telemetry=self._telemetry,
            breaker=breaker,
            pace=self._pace,
            flights=self._flights,
            turns=Turns(self._pace, self._stops),
            seats=Seats(self._settings.worker.answers_at_once),
            desk=self._desk,
            rest=self._write_rest,
            hands=self._hands,
        )
        return Taker(
            settings=self._settings,
            worker_id=self._worker_id,
            lease=self._lease,
            database=self._database,
            developer=self._developer,
            breaker=breaker,
            pace=self._pace,
            flights=self._flights,
            desk=self._desk,
            sender=sender,
            telemetry=self._telemetry,
            rest=self._write_rest,
            beside=self._beside,
            ring=self._ring,
            hands=self._hands,
        )

    def develop(self, tier: Tier) -> None:
        """Take due work of a tier for a minute at most; another call meanwhile does nothing."""
        self._wait(self._taker.develop(tier))

    def take_in(self, closings: Sequence[Closing]) -> None:
        """Settle answers that a dead process left, and that lie in this one's spool now."""
        for closing in closings:
            self._loop.call_soon_threadsafe(self._desk.put, closing)

    @property
    def is_full(self) -> bool:
        """Whether so many answers wait for their place or the books that none should be added."""
        return self._desk.is_full

    @property
    def is_draining(self) -> bool:
        """Whether it is on its way to the end."""
        return self._taker.is_stopped

    def stop_taking(self) -> None:
        """Claim nothing more; what is in flight comes home."""
        self._taker.stop()

    def drain(self, seconds: float) -> Future[Drained]:
        """Take nothing more, wait for what is in flight, settle it and let go of everything."""
        self.stop_taking()
        return asyncio.run_coroutine_threadsafe(self._drain(seconds), self._loop)

    def hurry(self, seconds: float) -> None:
        """Give back what has not been sent, and wait only so long for the answers that are out."""
        self._loop.call_soon_threadsafe(lambda: self._flights.hurry(self._loop.time() + seconds))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _beside(self, work: Callable[..., T], *args: Any) -> T:
        """Run something in the SQL thread."""
        return await self._loop.run_in_executor(self._sql, work, *args)

    def _flying(self, tier: Tier) -> int:
        return self._taker.flying(tier)

    async def _write_rest(self, tier: Tier, model: str, asked: Break) -> None:
        await self._beside(self._settler.rest, tier, model, asked)

    def _past(self, tier: Tier) -> Past:
        window = self._settings.limits(tier).spend_window_seconds
        with db.reading(self._database) as connection:
            return past(connection, tier, window)

    async def _drain(self, seconds: float) -> Drained:
        last = min(_LAST_SECONDS, seconds / 4)
        ends = self._loop.time() + seconds - last
        await asyncio.sleep(0)  # what was claimed a moment ago takes its first step
        given_up = await self._flights.come_home(ends, landing=last / 4)
        settled = await self._books_closed(ends, last / 2) and self._flights.are_home
        self._desk.close()
        self._stops.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(last / 8):
                await self._taker.close()
                await self._pace.close()
        return Drained(given_up, settled)

    async def _books_closed(self, until: float, least: float) -> bool:
        """Wait for the books and for uploads: while there is time, or in a hurry but a moment."""
        least += self._loop.time()
        while not await self._desk.come_home(_LOOK_SECONDS):
            ends = least if self._flights.is_hurried else max(until, least)
            if self._loop.time() >= ends:
                return False
        return True
