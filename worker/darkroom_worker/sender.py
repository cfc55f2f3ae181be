"""Sends one claim at its turn, and brings the answer home, whatever happens."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from darkroom.errors import StorageFault
from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing
from darkroom.killpoints import Point, reach
from darkroom.request import Request
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.attempt import named
from darkroom_worker.backends.base import Backend, Break, Reply
from darkroom_worker.backends.seats import Seats
from darkroom_worker.booking import Turn
from darkroom_worker.breaker import Breaker
from darkroom_worker.desk import Desk
from darkroom_worker.developer import Developer
from darkroom_worker.flights import Flights, GivenUp
from darkroom_worker.lease import Lease
from darkroom_worker.limits import LimiterAway
from darkroom_worker.pace import Pace
from darkroom_worker.spool import Spool
from darkroom_worker.telemetry import Telemetry, ids
from darkroom_worker.turns import Turns

_log = structlog.get_logger(__name__)

_CHANGES: Final = '"edits":'  # in the JSON of a request: it changes an image
_AGAIN_SECONDS: Final = 2.0  # pause after the disk, the storage or the broker failed

WriteRest = Callable[[Tier, str, Break], Awaitable[None]]
"""Writes down that a tier, or a model of it, rests; "" means all models."""


class Sender:
    """The way of single requests; all of it runs in the engine's event loop."""

    def __init__(
        self,
        *,
        developer: Developer,
        spool: Spool,
        lease: Lease,
        telemetry: Telemetry,
        breaker: Breaker,
        pace: Pace,
        flights: Flights,
        turns: Turns,
        seats: Seats,
        desk: Desk,
        rest: WriteRest,
        hands: Executor,
    ) -> None:
        self._developer = developer
        self._spool = spool
        self._lease = lease
        self._telemetry = telemetry
        self._breaker = breaker
        self._pace = pace
        self._flights = flights
        self._turns = turns
        self._seats = seats
        self._desk = desk
        self._write_rest = rest
        self._hands = hands

    async def render(self, backend: Backend, one: Claim, turn: Turn) -> None:
        """Send one request at its turn and bring the answer home, whatever happens."""
        with self._flights.under_way():
            closing, rest = await self._answer(backend, one, turn)
            self._telemetry.answered(one)
            self._desk.put(closing)
        self._pace.note(one, turn, closing, rest)
        tripped = self._breaker.heard(one, closing)
        rest = rest or tripped
        if rest is not None:
            await self._rest(one, rest)

    async def _answer(
        self, backend: Backend, one: Claim, turn: Turn
    ) -> tuple[Closing, Break | None]:
        if not await self._may_go(one, turn):
            return self._developer.unsent(one), None
        try:
            request = await self._sendable(one)
            if request is None:
                return self._developer.unsent(one), None
            patience = self._developer.patience(request, one.tier)
            self._telemetry.sent(one)
            with self._seats.seat(patience), named(one.attempt_id):
                with self._flights.unanswered():
                    reply = await backend.send(request, one.model, patience)
                reach(Point.ANSWERED, (one,))
                return await self._keep(backend, one, reply)
        except GivenUp:
            return self._developer.given_up(one), None
        except Exception as error:  # noqa: BLE001  # whatever fails, the attempt must be closed
            _log.exception("an answer could not be read", **ids(one))
            return self._developer.lost(one, error), None

    async def _sendable(self, one: Claim) -> Request | None:
        """Read a request; None where an image that it changes cannot be fetched now."""
        if _CHANGES not in one.request:
            return self._developer.request(one)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._hands, self._developer.sendable, one
            )
        except (OSError, StorageFault) as error:
            _log.warning("an image that is to be changed cannot be read", **ids(one), error=error)
            await asyncio.sleep(_AGAIN_SECONDS)
            return None

    async def _may_go(self, one: Claim, turn: Turn) -> bool:
        """Wait for a turn; False when what waits must be given back.

        A process that was stopped for long must not send what may have been given up meanwhile.
        """
        with suppress(GivenUp), self._flights.waiting():
            return await self._turns.wait(one, turn) and self._lease.is_live
        return False

    async def _keep(
        self, backend: Backend, one: Claim, reply: Reply
    ) -> tuple[Closing, Break | None]:
        """Decode and stage an answer; a full disk makes it wait, never fail."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._hands, self._developer.receive, backend, one, reply, self._spool
                )
            except OSError as error:
                _log.error("the spool cannot be written; the answer waits", **ids(one), error=error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _rest(self, one: Claim, asked: Break) -> None:
        """Stop the tier at once where slots are booked, and for all to see in the database."""
        try:
            # Slots are booked for all sizes of a model: one that rests is left out by the claim.
            is_news = asked.size is not None or await self._pace.rest(one, asked)
            is_long = asked.size is not None or (asked.seconds or math.inf) > _AGAIN_SECONDS
            if is_news and is_long:
                await self._write_rest(one.tier, one.model, asked)
        except (LimiterAway, DBAPIError) as error:
            _log.warning("a rest was not written down", tier=one.tier, error=error)
