"""Whatever workers do with a limiter, no window of a minute ever sees more than its limit.

The scripts run on a real server; only their clock is ours, so that minutes pass in no time.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from darkroom.broker import Broker
from darkroom.report import Past
from darkroom.settings import Limits
from darkroom_manifests.tier import Tier
from darkroom_worker.limits import Limiter, gap_of, open_redis
from darkroom_worker.slots import TOLERANCE, Slot, Want, Why

TIER = Tier.AISTUDIO
BEGIN = 1_800_000_000.0
TRAVEL = 0.1  # seconds that the slowest request is longer on its way than the fastest


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("home"))
    yield broker.start()
    broker.stop()


class Act(msgspec.Struct, frozen=True):
    """What one worker does at one moment: `part` of what it booked is sent, the rest given back."""

    passes: float
    worker: int
    most: int
    part: float
    gives_back: bool
    flush: bool


ACTS = st.builds(
    Act,
    passes=st.sampled_from([0.0, 0.01, 0.3, 0.7, 1.6, 5.0]),
    worker=st.integers(0, 3),
    most=st.integers(1, 128),
    part=st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0]),
    gives_back=st.booleans(),
    flush=st.sampled_from([False] * 30 + [True]),
)


class World:
    """A fleet in a time of its own, and the strictest provider there could be."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.now = BEGIN
        self.limits = limits
        self.gap = gap_of(limits, 0)
        self.redis: Any = open_redis(url)
        self.arrived: list[float] = []
        self.claimed: list[float] = []
        self.workers = [Limiter(self.redis, f"worker-{number}") for number in range(4)]
        for limiter in self.workers:
            self._take_over_the_clock(limiter)

    def _take_over_the_clock(self, limiter: Limiter) -> None:
        for name in ("_book", "_seed", "_unbook"):
            script = getattr(limiter, name).script
            text = script if isinstance(script, str) else script.decode()
            timed = text.replace("redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, 1)")
            assert timed != text
            setattr(limiter, name, self.redis.register_script(timed))

    async def begin(self) -> None:
        await self.redis.flushall()
        await self._pass(0)

    async def _pass(self, seconds: float) -> None:
        self.now += seconds
        await self.redis.delete("clock")
        await self.redis.rpush("clock", int(self.now), round(self.now % 1 * 1e6))

    async def act(self, act: Act) -> None:
        await self._pass(act.passes)
        if act.flush:
            await self.redis.flushall()
            await self._pass(0)
        limiter = self.workers[act.worker]
        booked = await self._book(limiter, act.most)
        kept = booked[: round(len(booked) * act.part)]
        late = 0.0 if act.worker % 2 else TOLERANCE + TRAVEL
        self.arrived += [slot.us / 1e6 + late for slot in kept]
        self.claimed += [self.now] if kept else []
        if act.gives_back:
            rest = booked[len(kept) :]
            await limiter.unbook(TIER, self.limits, len(rest), rest, 0)

    async def _book(self, limiter: Limiter, most: int) -> tuple[Slot, ...]:
        want = Want(most=most, gap=self.gap)
        slots = await limiter.book(TIER, self.limits, want)
        if slots.why is Why.LOST:
            newest = self.now - self.claimed[-1] if self.claimed else None
            past = Past(minute=0, newest=newest, today=0, in_flight=0, spending=())
            await limiter.seed(TIER, self.limits, self.gap, past)
            slots = await limiter.book(TIER, self.limits, want)
        return slots.booked

    def fullest_minute(self) -> int:
        moments = sorted(self.arrived)
        return max(
            (bisect_right(moments, at) - bisect_right(moments, at - 60.0) for at in moments),
            default=0,
        )


@pytest.mark.parametrize("rate", [1, 10, 600, 6_000])
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],  # shrinking would play thousands of long fleets
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=st.lists(ACTS, min_size=20, max_size=120))
def test_no_minute_ever_sees_more_than_the_limit(
    broker_url: str, rate: float, acts: list[Act]
) -> None:
    async def play() -> int:
        world = World(broker_url, Limits(requests_per_minute=rate))
        await world.begin()
        for act in acts:
            await world.act(act)
        await world.redis.aclose()
        return world.fullest_minute()

    assert asyncio.run(play()) <= rate


def test_a_fleet_at_its_limit_of_which_half_is_late_stays_within(broker_url: str) -> None:
    async def play() -> int:
        world = World(broker_url, Limits(requests_per_minute=600))
        await world.begin()
        for number in range(400):
            act = Act(0.4, number % 4, 30, 1.0, gives_back=False, flush=False)
            await world.act(act)
        await world.redis.aclose()
        return world.fullest_minute()

    assert 595 <= asyncio.run(play()) <= 600


def test_a_busy_fleet_uses_all_but_half_a_percent(broker_url: str) -> None:
    async def play() -> list[float]:
        world = World(broker_url, Limits(requests_per_minute=600))
        await world.begin()
        for number in range(400):
            again = number % 3 == 0  # a worker that books more than it has work for
            act = Act(0.4, number % 4, 30, 0.5 if again else 1.0, again, flush=False)
            await world.act(act)
        await world.redis.aclose()
        return sorted(world.arrived)

    moments = asyncio.run(play())

    inside = [at for at in moments if moments[0] + 30 < at <= moments[0] + 90]
    assert 0.99 * 600 <= len(inside) <= 600
