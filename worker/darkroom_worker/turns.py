"""Waiting for one's turn. A turn that comes up late is not taken: it gets another slot instead.

Many late ones at once, after a stalled moment, would be a clump that a strict limit does not
forgive.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Final

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from darkroom.jobs.claim import Claim
from darkroom_manifests.tier import Tier
from darkroom_worker.booking import Turn
from darkroom_worker.limits import LimiterAway
from darkroom_worker.pace import Pace
from darkroom_worker.slots import TOLERANCE
from darkroom_worker.stops import Stops

_log = structlog.get_logger(__name__)

_GATHER: Final = 0.02  # seconds that a late claim waits for others: one booking serves all
_TRIES: Final = 5  # bookings for late claims, before they are handed back
_LONGEST_WAIT: Final = 2.0  # seconds between two of them


class _Late(msgspec.Struct):
    """A claim without a slot. `used` says that its slot had been counted and went by."""

    claim: Claim
    used: bool
    found: asyncio.Future[float | None]


class Turns:
    """All claims of a process that wait, and the few among them that came too late."""

    def __init__(self, pace: Pace, stops: Stops) -> None:
        self._pace = pace
        self._stops = stops
        self._late: defaultdict[tuple[Tier, str], list[_Late]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()

    async def wait(self, one: Claim, turn: Turn) -> bool:
        """Wait for a claim's turn; False: it gets none soon, and must be handed back unsent."""
        had_slot = turn.at is not None
        for _ in range(_TRIES):
            if turn.at is None:
                turn.at = await self._another(one, used=had_slot)
            if turn.at is None:
                return False
            await asyncio.sleep(max(0.0, turn.at - time.monotonic()))
            is_late = time.monotonic() - turn.at > TOLERANCE
            if not is_late and self._may_go(one, turn):
                return True
            turn.at, had_slot = None, True
        await self._pace.went_by(one.tier, 1)
        return False

    def _may_go(self, one: Claim, turn: Turn) -> bool:
        is_resting = self._pace.is_resting(one.tier, one.model)
        return not is_resting and self._stops.let(one.tier, one.model, turn.since)

    async def _another(self, one: Claim, *, used: bool) -> float | None:
        """Get another slot, together with whoever else is late just now."""
        waiting = self._late[one.tier, one.model]
        found: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        waiting.append(_Late(one, used, found))
        if len(waiting) == 1:
            task = asyncio.create_task(self._rebook(one.tier, one.model))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await found

    async def _rebook(self, tier: Tier, model: str) -> None:
        await asyncio.sleep(_GATHER)
        late = self._late.pop((tier, model))
        try:
            await self._pace.went_by(tier, sum(each.used for each in late))
            for _ in range(_TRIES):
                is_stopped = self._pace.is_resting(tier, model) or self._stops.hold(tier, model)
                if not late or is_stopped:
                    break
                late, wait = await self._found(tier, model, late)
                await asyncio.sleep(min(wait, _LONGEST_WAIT) if late else 0.0)
        except (LimiterAway, DBAPIError) as error:
            _log.warning("claims go back unsent", tier=tier, error=str(error).splitlines()[0])
        finally:
            for each in late:
                _tell(each, None)

    async def _found(self, tier: Tier, model: str, late: list[_Late]) -> tuple[list[_Late], float]:
        """Book for them; who is left over, and the seconds until more can be had."""
        booking = await self._pace.again(tier, model, len(late))
        turns, _ = await self._pace.deal(tier, booking, [each.claim for each in late])
        by_id = {one.attempt_id: turn.at for one, turn in turns}
        left = []
        for each in late:
            if (at := by_id.get(each.claim.attempt_id)) is None:
                left.append(each)
            else:
                _tell(each, at)
        return left, booking.wait


def _tell(late: _Late, at: float | None) -> None:
    if not late.found.done():
        late.found.set_result(at)
