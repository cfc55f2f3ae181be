"""Takes due work: books slots, claims renders, and hands them over to be sent."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.jobs.claim import Claim, claim
from darkroom.killpoints import Point, reach
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_backend
from darkroom_worker.backends.base import Backend, Unavailable
from darkroom_worker.booking import Booking, Turn
from darkroom_worker.breaker import Breaker
from darkroom_worker.desk import Beside, Desk
from darkroom_worker.developer import Developer
from darkroom_worker.flights import Flights
from darkroom_worker.lease import Lease
from darkroom_worker.limits import LimiterAway
from darkroom_worker.pace import Pace
from darkroom_worker.sender import Sender, WriteRest
from darkroom_worker.telemetry import Telemetry

_log = structlog.get_logger(__name__)

_CLAIM_AT_MOST: Final = 128  # renders a transaction
_ROOM_SECONDS: Final = 0.1  # how long a few free places wait for more before work is claimed
_AGAIN_SECONDS: Final = 2.0  # pause after the database or the broker failed


class Taker:
    """What it takes is in flight until the sender has brought it home. Made in the event loop."""

    def __init__(
        self,
        *,
        settings: Settings,
        worker_id: str,
        lease: Lease,
        database: Engine,
        developer: Developer,
        breaker: Breaker,
        pace: Pace,
        flights: Flights,
        desk: Desk,
        sender: Sender,
        telemetry: Telemetry,
        rest: WriteRest,
        beside: Beside,
        ring: Callable[[Sequence[Tier]], None],
        hands: Executor,
    ) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._lease = lease
        self._database = database
        self._developer = developer
        self._breaker = breaker
        self._pace = pace
        self._flights = flights
        self._desk = desk
        self._sender = sender
        self._telemetry = telemetry
        self._write_rest = rest
        self._beside = beside
        self._ring = ring
        self._hands = hands
        self._loop = asyncio.get_running_loop()
        self._landed = asyncio.Event()
        self._is_stopped = False
        self._taking: set[Tier] = set()
        self._in_flight: defaultdict[Tier, set[asyncio.Task[None]]] = defaultdict(set)
        self._backends: dict[Tier, Backend] = {}

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is taken."""
        return self._is_stopped

    def stop(self) -> None:
        """Claim nothing more; what is in flight comes home. May be called from any thread."""
        self._is_stopped = True
        self._loop.call_soon_threadsafe(self._landed.set)

    def flying(self, tier: Tier) -> int:
        """How many requests of a tier are in flight."""
        return len(self._in_flight[tier])

    async def close(self) -> None:
        """Let go of all connections to providers."""
        for backend in self._backends.values():
            await backend.close()

    async def develop(self, tier: Tier) -> None:
        """Take due work for a minute at most; another call meanwhile does nothing."""
        if tier in self._taking or self._is_stopped:
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
        while not self._is_stopped and self._lease.is_live:
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
        if self._is_stopped:
            return False
        booking = await self._pace.book(tier, room)
        if booking.rest is not None:
            await self._write_rest(tier, "", booking.rest)
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
            claims: list[Claim] = await self._beside(self._claim, tier, booking.most, rooms)
        except DBAPIError:
            await self._pace.place(tier, booking, [])
            raise
        return claims

    async def _room(self, tier: Tier) -> int:
        """Wait for places in flight: a good number of them, or those that a moment brings."""
        most = self._settings.limits(tier).concurrency
        wanted = min(max(1, most // 4), _CLAIM_AT_MOST)
        ends = self._loop.time() + _ROOM_SECONDS
        while True:
            room = most - len(self._in_flight[tier])
            left = ends - self._loop.time()
            if room >= wanted or (room > 0 and left <= 0) or self._is_stopped:
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
                await self._write_rest(tier, "", error.rest)
                return None
        return self._backends[tier]
