"""Develops a tier: books slots, claims renders, sends them, settles the answers.

One event loop in a thread of its own carries every request of the process. SQL stays synchronous,
in one thread beside it; decoding and disk have a few threads. Nothing else is asynchronous.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import structlog
from sqlalchemy import Connection
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.jobs.claim import Claim, claim
from darkroom.jobs.close import Closing
from darkroom.killpoints import Point, reach
from darkroom.report import Past, past
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_backend
from darkroom_worker.backends.base import Backend, Unavailable
from darkroom_worker.backends.seats import Seats
from darkroom_worker.booking import Booking, Turn
from darkroom_worker.breaker import Breaker
from darkroom_worker.desk import Desk
from darkroom_worker.developer import Developer
from darkroom_worker.flights import Flights
from darkroom_worker.lease import Lease
from darkroom_worker.limits import Limiter, LimiterAway
from darkroom_worker.pace import Pace
from darkroom_worker.publish import Publisher
from darkroom_worker.sender import Sender
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool
from darkroom_worker.stops import Stops, read_stops
from darkroom_worker.telemetry import Telemetry
from darkroom_worker.turns import Turns

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_CLAIM_AT_MOST: Final = 128  # renders a transaction
_ROOM_SECONDS: Final = 0.05  # how long a few free places wait for more before work is claimed
_AGAIN_SECONDS: Final = 2.0  # pause after the database or the broker failed
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
        self._draining = False
        self._taking: set[Tier] = set()
        self._in_flight: defaultdict[Tier, set[asyncio.Task[None]]] = defaultdict(set)
        self._backends: dict[Tier, Backend] = {}
        self._breaker = Breaker(settings.rules)

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
            flying=lambda tier: len(self._in_flight[tier]),
        )
        self._pace.start()
        self._flights = Flights()
        stops = partial(read_stops, self._database)
        self._stops = Stops(stops, lambda: self._flights.are_waiting)
        self._stops.start()
        self._landed = asyncio.Event()
        self._desk = Desk(
            self._settings,
            self._settler,
            self._publisher,
            self._spool,
            self._telemetry,
            self._beside,
        )
        self._sender = Sender(
            developer=self._developer,
            spool=self._spool,
            lease=self._lease,
            telemetry=self._telemetry,
            breaker=self._breaker,
            pace=self._pace,
            flights=self._flights,
            turns=Turns(self._pace, self._stops),
            seats=Seats(self._settings.worker.answers_at_once),
            desk=self._desk,
            rest=lambda tier, model, asked: self._beside(self._settler.rest, tier, model, asked),
            hands=self._hands,
        )

    def develop(self, tier: Tier) -> None:
        """Take due work of a tier for a minute at most; another call meanwhile does nothing."""
        self._wait(self._develop(tier))

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
        return self._draining

    def stop_taking(self) -> None:
        """Claim nothing more; what is in flight comes home."""
        self._draining = True
        self._loop.call_soon_threadsafe(self._landed.set)

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

    async def _develop(self, tier: Tier) -> None:
        if tier in self._taking or self._draining:
            return
        self._taking.add(tier)
        try:
            with self._flights.under_way():  # a claim may just be on its way from the database
                again = await self._take_until_done(tier)
            if again:
                await self._loop.run_in_executor(self._hands, self._ring, [tier])
        except (LimiterAway, DBAPIError) as error:
            _log.warning("work cannot be taken", tier=tier, error=error)
            await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            self._taking.discard(tier)

    async def _take_until_done(self, tier: Tier) -> bool:
        """Take work while there is any; True when time was up before it."""
        backend = await self._backend(tier)
        if backend is None:
            return False
        ends = self._loop.time() + self._settings.worker.take_seconds
        while not self._draining and self._lease.is_live:
            left = ends - self._loop.time()
            if left <= 0:
                return True
            if not await self._take(tier, backend, left):
                return False
        return False

    async def _take(self, tier: Tier, backend: Backend, seconds: float) -> bool:
        """Book, claim and send once; False when nothing was due."""
        if self._desk.is_full:
            await asyncio.sleep(min(seconds, _ROOM_SECONDS))
            return True
        room = await self._room(tier)
        if self._draining:
            return False
        booking = await self._pace.book(tier, room)
        if booking.rest is not None:
            await self._beside(self._settler.rest, tier, "", booking.rest)
            return False
        if not booking.most:
            wait = min(booking.wait, seconds, 1.0)
            self._telemetry.waited(tier, wait)
            await asyncio.sleep(wait)
            return True
        claims = await self._claimed(tier, booking)
        turns, unsent = await self._pace.place(tier, booking, claims)
        for closing in unsent:
            self._desk.put(closing)
        for one, turn in turns:
            self._send(backend, one, turn)
        return bool(claims) or booking.is_short

    async def _claimed(self, tier: Tier, booking: Booking) -> list[Claim]:
        """Claim as much as was booked; if that fails, nothing stays booked."""
        try:
            rooms = self._breaker.rooms(tier, booking.rooms)
            return await self._beside(self._claim, tier, booking.most, rooms)
        except DBAPIError:
            await self._pace.place(tier, booking, [])
            raise

    def _past(self, tier: Tier) -> Past:
        window = self._settings.limits(tier).spend_window_seconds
        with db.reading(self._database) as connection:
            return past(connection, tier, window)

    async def _room(self, tier: Tier) -> int:
        """Wait for places in flight: a good number of them, or those that a moment brings."""
        most = self._settings.limits(tier).concurrency
        wanted = min(max(1, most // 4), _CLAIM_AT_MOST)
        ends = self._loop.time() + _ROOM_SECONDS
        while True:
            room = most - len(self._in_flight[tier])
            left = ends - self._loop.time()
            if room >= wanted or (room > 0 and left <= 0) or self._draining:
                return min(room, _CLAIM_AT_MOST)
            self._landed.clear()
            try:
                await asyncio.wait_for(self._landed.wait(), left if left > 0 else None)
            except TimeoutError:
                continue

    def _claim(self, tier: Tier, want: int, rooms: Mapping[str, int]) -> list[Claim]:
        claims: list[Claim] = []

        def reserve(connection: Connection) -> None:
            worker, budget = self._worker_id, self._settings.budget
            claims[:] = claim(connection, tier, want, worker, rooms, budget=budget)
            if claims:
                reach(Point.RESERVED, claims)

        try:
            db.transact(self._database, reserve)
        except DBAPIError:
            self._loop.call_soon_threadsafe(self._give_back, claims)
            raise
        if claims:
            reach(Point.CLAIMED, claims)
        return claims

    def _give_back(self, claims: list[Claim]) -> None:
        """Close what was not sent: a commit may have been done although its reply was lost."""
        for one in claims:
            self._desk.put(self._developer.unsent(one))

    def _send(self, backend: Backend, one: Claim, turn: Turn) -> None:
        self._breaker.sent(one)
        task = asyncio.create_task(self._sender.render(backend, one, turn))
        self._in_flight[one.tier].add(task)
        task.add_done_callback(lambda done: self._land(one.tier, done))

    def _land(self, tier: Tier, task: asyncio.Task[None]) -> None:
        self._in_flight[tier].discard(task)
        self._landed.set()

    async def _backend(self, tier: Tier) -> Backend | None:
        if tier not in self._backends:
            try:
                self._backends[tier] = open_backend(tier, self._settings)
            except Unavailable as error:
                await self._beside(self._settler.rest, tier, "", error.rest)
                return None
        return self._backends[tier]

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
                for backend in self._backends.values():
                    await backend.close()
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
