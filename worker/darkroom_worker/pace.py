"""When what is sent: books slots before work is claimed, deals them out, gives back the rest.

One for each process, on its event loop. The engine asks for a booking, claims so many renders,
has them dealt their turns, and lets each wait for its own (`turns.py`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import structlog

from darkroom import pacific
from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing
from darkroom.models import AttemptState
from darkroom.report import Past
from darkroom.settings import Limits, Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.adaptive import Adaptive
from darkroom_worker.backends.base import Break
from darkroom_worker.booking import Booking, Turn
from darkroom_worker.lane import ALL, STORM_SECONDS, Lane
from darkroom_worker.limits import Limiter, LimiterAway
from darkroom_worker.slots import Slots, Want, Why

_log = structlog.get_logger(__name__)

_PAUSE: Final = 1.6  # seconds between bookings while slots are short: fewer calls, none too late
_BEAT_SECONDS: Final = 1.0  # between a worker's words about what it has in flight
_WORTH_WRITING: Final = 5.0  # seconds; a longer wait for a quota is written down as a rest
_LOOK_AGAIN: Final = 120.0  # seconds; money that was set aside elsewhere may be free by then
_OF_A_QUOTA: Final = 120.0  # seconds; so long a break says nothing about the rate

Placed = tuple[list[tuple[Claim, Turn]], list[Closing]]


class Pace:
    """Slots of all tiers that a process serves."""

    def __init__(
        self,
        *,
        limiter: Limiter,
        settings: Settings,
        recall: Callable[[Tier], Awaitable[Past]],
        tokens_of: Callable[[Claim], int],
        flying: Callable[[Tier], int],
    ) -> None:
        self._limiter = limiter
        self._settings = settings
        self._recall = recall
        self._tokens_of = tokens_of
        self._flying = flying
        self._adaptive = Adaptive(limiter, settings)
        self._lanes: defaultdict[Tier, Lane] = defaultdict(Lane)
        self._told_flying: dict[Tier, int] = {}
        self._claiming: Counter[Tier] = Counter()  # booked, and not in flight yet
        # A count that was made before a booking must not reach Redis after it.
        self._telling: defaultdict[Tier, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell the fleet what is in flight here. Call it on the event loop."""
        self._beating = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Stop, and take what was in flight here off the books."""
        if self._beating is not None:
            self._beating.cancel()
        try:
            await self._limiter.leave(list(self._told_flying))
        except LimiterAway as error:
            _log.info("the limiter forgets this worker by itself", error=str(error))
        await self._limiter.close()

    async def book(self, tier: Tier, most: int) -> Booking:
        """Book up to `most` slots; none, but a `wait`, when it is too early. Raises LimiterAway."""
        lane, now = self._lanes[tier], time.monotonic()
        if now < lane.not_before:
            return Booking(now, Want(most=0), [], wait=lane.not_before - now)
        self._claiming[tier] = 0  # what was booked before has been placed
        return await self._book(tier, most, 0, None)

    async def _book(
        self, tier: Tier, most: int, aboard: int, models: Sequence[str] | None
    ) -> Booking:
        """Book for `most` requests, of which so many are in flight here; `models` None: in use."""
        lane, limits = self._lanes[tier], self._settings.limits(tier)
        async with self._telling[tier]:
            want = lane.want(limits, most, self._held(tier) - aboard)
            slots = await self._slots(tier, limits, want)
            self._claiming[tier] += len(slots.booked) if models is None else 0
        booking = Booking(time.monotonic(), want, list(slots.booked), wait=slots.wait)
        booking.resting = lane.resting_models()
        if not booking.slots and not self._flying(tier):  # what lands may free what is set aside
            booking.rest = _rest_of(slots, limits, await self._limiter.now())
        elif limits.adaptive:
            known = Want(most=booking.most, lead=want.lead, ahead=want.ahead)
            try:
                booking.models = await self._adaptive.book(tier, known, models)
            except LimiterAway:
                self._claiming[tier] = 0
                raise
        _pause(lane, booking, slots)
        return booking

    async def _slots(self, tier: Tier, limits: Limits, want: Want) -> Slots:
        """Book; what Redis has forgotten is filled in from the books first."""
        lane = self._lanes[tier]
        try:
            slots = await self._limiter.book(tier, limits, want)
            if slots.why is Why.LOST:
                await self._limiter.seed(tier, limits, want.gap, await self._recall(tier))
                slots = await self._limiter.book(tier, limits, want)
        except LimiterAway:
            lane.was_away = True
            raise
        self._heard(tier, want)
        return slots

    def _heard(self, tier: Tier, want: Want) -> None:
        self._lanes[tier].told(want)
        if self._settings.limits(tier).fleet_concurrency is not None:
            self._told_flying[tier] = want.flying

    async def place(self, tier: Tier, booking: Booking, claims: Sequence[Claim]) -> Placed:
        """Deal the slots to what was claimed; the rest is given back, for others to have."""
        lane, limits = self._lanes[tier], self._settings.limits(tier)
        lane.took(time.monotonic() - booking.made_at)
        lane.weigh(limits, booking.want, claims, [self._tokens_of(one) for one in claims])
        if booking.models is not None:
            await self._book_new_models(tier, booking, claims)
        turns, unsent = await self.deal(tier, booking, claims)
        for one in unsent:
            lane.unsent(limits, one.reserved_nusd)
        self._claiming[tier] = 0
        if not claims and booking.is_short:
            lane.not_before = booking.made_at + _PAUSE
        elif booking.has_left:
            lane.not_before = 0.0  # there was less work than slots: new work need not wait
        return turns, [unsent_closing(one, _PAUSE) for one in unsent]

    async def deal(
        self, tier: Tier, booking: Booking, claims: Sequence[Claim]
    ) -> tuple[list[tuple[Claim, Turn]], list[Claim]]:
        """Deal, and give back what is left over."""
        booked = booking.most
        turns, unsent = booking.deal(claims, time.monotonic())
        unused = booked - sum(turn.at is not None for _, turn in turns)
        await self.give_back(tier, booking, unused)
        return turns, unsent

    async def _book_new_models(self, tier: Tier, booking: Booking, claims: Sequence[Claim]) -> None:
        """Book for the models that this process has not sent lately."""
        assert booking.models is not None
        for model in {one.model for one in claims}:
            self._adaptive.use(tier, model)
            if model not in booking.models:
                want = Want(most=sum(one.model == model for one in claims))
                try:
                    booking.models |= await self._adaptive.book(tier, want, [model])
                except LimiterAway as error:
                    _log.warning("claims go back unsent", tier=tier, error=str(error))

    async def again(self, tier: Tier, model: str, claims: int) -> Booking:
        """Book for claims that are in flight here already. Raises LimiterAway."""
        return await self._book(tier, claims, claims, [model])

    async def went_by(self, tier: Tier, claims: int) -> None:
        """Take requests off the counts whose slots were not used."""
        want = self._lanes[tier].want(self._settings.limits(tier), 0, 0)
        await self.give_back(tier, Booking(0.0, want, []), claims)

    async def give_back(self, tier: Tier, booking: Booking, unused: int) -> None:
        """Let somebody else have `unused` requests, and the slots that are left in a booking."""
        limits = self._settings.limits(tier)
        slots = booking.slots if booking.want.gap else []
        is_counted = (limits.requests_per_day, limits.spend_per_window) != (None, None)
        try:
            if slots or (unused and is_counted):
                each = booking.want.each_nusd
                await self._limiter.unbook(tier, limits, unused, slots, each)
            for model, own in (booking.models or {}).items():
                if own:
                    await self._limiter.unlearn(tier, model, own)
        except LimiterAway as error:  # the slots go by unused
            _log.info("slots were not given back", tier=tier, error=str(error))

    def is_resting(self, tier: Tier, model: str) -> bool:
        """Whether an answer has said that nothing more may be sent for now."""
        return self._lanes[tier].is_resting(model)

    def note(self, one: Claim, turn: Turn, closing: Closing, rest: Break | None) -> None:
        """Learn from an answer: what it cost, and whether it was one request too many."""
        limits = self._settings.limits(one.tier)
        lane = self._lanes[one.tier]
        if turn.at is None and closing.ended is AttemptState.NOT_SENT:
            lane.unsent(limits, one.reserved_nusd)
        elif closing.ended is not AttemptState.LOST:
            lane.spent(limits, one.reserved_nusd, closing.charged_nusd)
        if not limits.adaptive or closing.ended is AttemptState.NOT_SENT:
            return
        if closing.ended is not AttemptState.BUSY:
            self._adaptive.answered(one.tier, one.model, (closing.latency_ms or 0) / 1000)
        elif rest is None or (rest.seconds is not None and rest.seconds < _OF_A_QUOTA):
            sent_us = self._limiter.clock.there(turn.at or time.monotonic())
            self._adaptive.throttled(one.tier, one.model, sent_us, closing.wait or 0.0)

    async def rest(self, one: Claim, asked: Break) -> bool:
        """Stop a tier, or a model, at once; False when as much was said just now.

        What waits for a person is kept in the database alone, where a person ends it; until it is
        there, it is stopped for a moment.
        """
        model = ALL if asked.whole_tier else one.model
        seconds = math.inf if asked.seconds is None else asked.seconds
        is_news = self._lanes[one.tier].rest(model, seconds)
        try:
            if is_news and asked.whole_tier:
                moment = STORM_SECONDS if asked.seconds is None else asked.seconds
                await self._limiter.rest(one.tier, moment)
        except LimiterAway as error:  # nothing is sent anyway; the database is told as well
            _log.warning("a rest was not told", tier=one.tier, error=str(error))
        return is_news

    def _held(self, tier: Tier) -> int:
        """What counts as in flight here: also what is booked, and just being claimed."""
        return self._flying(tier) + self._claiming[tier]

    async def _beat(self) -> None:
        """Say what is in flight here, and what was really spent, while nothing is booked."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            for tier in list(self._lanes):
                try:
                    async with self._telling[tier]:
                        await self._tell(tier)
                except LimiterAway as error:
                    _log.info("the limiter is away", tier=tier, error=str(error))

    async def _tell(self, tier: Tier) -> None:
        lane, limits, flying = self._lanes[tier], self._settings.limits(tier), self._held(tier)
        is_limited = limits.fleet_concurrency is not None
        if lane.owes or (is_limited and (flying or self._told_flying.get(tier))):
            want = lane.want(limits, 0, flying)
            if (await self._limiter.book(tier, limits, want)).why is not Why.LOST:
                self._heard(tier, want)


def unsent_closing(one: Claim, wait: float) -> Closing:
    """Make a closing for a claim that was never sent: no attempt is used up."""
    said = "No slot was free in time; nothing was sent."
    return Closing(attempt_id=one.attempt_id, ended=AttemptState.NOT_SENT, message=said, wait=wait)


def _pause(lane: Lane, booking: Booking, slots: Slots) -> None:
    """Where slots are short, come back when there are several."""
    models = booking.models or {}
    all_short = bool(models) and all(len(own) < booking.most for own in models.values())
    if slots.why is Why.PACE or all_short:
        lane.not_before = booking.made_at + max(_PAUSE, slots.wait)


def _rest_of(slots: Slots, limits: Limits, now: datetime) -> Break | None:
    """What is worth writing down: a quota of our own that is used up for a while."""
    if slots.why is Why.DAY:
        left = (pacific.day_of(now).ends - now).total_seconds()
        reason = f"the {limits.requests_per_day} requests of this Pacific day are sent"
        return Break(whole_tier=True, seconds=max(1.0, left), reason=reason)
    if slots.why is Why.SPEND and slots.wait > _WORTH_WRITING:
        window = f"{limits.spend_window_seconds / 60:g} minutes"
        reason = f"${limits.spend_per_window} of {window} are spent or set aside"
        seconds = min(slots.wait, _LOOK_AGAIN)
        return Break(whole_tier=True, seconds=seconds, reason=reason)
    return None
