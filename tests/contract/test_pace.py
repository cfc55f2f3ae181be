"""What a process says about its requests in flight while it books, claims and sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from darkroom import gauges
from darkroom.broker import Broker
from darkroom.jobs.claim import Claim
from darkroom.report import Past
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Break
from darkroom_worker.limits import Limiter, open_redis
from darkroom_worker.pace import Pace, unsent_closing

TIER = Tier.SIMULATOR
MOST = 8
IN_FLIGHT = Past(minute=MOST, newest=1.0, today=MOST, in_flight=MOST, spending=())
IDLE = Past(minute=0, newest=None, today=0, in_flight=0, spending=())


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("home"))
    yield broker.start()
    broker.stop()


class Process:
    """The pace of one worker process, whose requests in flight are what the test says."""

    def __init__(self, url: str, name: str, past: Past = IDLE, **told: object) -> None:
        limits = {"simulator": {"fleet_concurrency": MOST, "concurrency": 64} | told}
        self.flying = 0
        self._past = past
        self.pace = Pace(
            limiter=Limiter(open_redis(url), name),
            settings=Settings.model_validate({"tiers": limits}),
            recall=self._recall,
            tokens_of=lambda _: 0,
            flying=lambda _: self.flying,
        )

    async def _recall(self, _: Tier) -> Past:
        return self._past

    async def books(self) -> int:
        return (await self.pace.book(TIER, 64)).most


Play = Callable[[Redis, Process, Process], Awaitable[None]]


def play(url: str, work: Play, past: Past = IDLE) -> None:
    async def with_two() -> None:
        redis = open_redis(url)
        await redis.flushall()
        a, b = Process(url, "a", past), Process(url, "b", past)
        a.pace.start()
        b.pace.start()
        try:
            await work(redis, a, b)
        finally:
            await a.pace.close()
            await b.pace.close()
            await redis.aclose()

    asyncio.run(with_two())


async def said(redis: Redis, worker: str) -> bytes | None:
    asked: Any = redis.hget(gauges.key(TIER, "flying"), worker)  # typed for both kinds of client
    word: bytes | None = await asked
    return word


async def a_beat(redis: Redis, worker: str) -> None:
    """Wait until a worker has said again what it has in flight."""
    before = await said(redis, worker)
    for _ in range(1_000):
        if await said(redis, worker) not in (before, None):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it said nothing")


def test_what_is_booked_counts_while_it_is_being_claimed(broker_url: str) -> None:
    async def claim_slowly(redis: Redis, a: Process, b: Process) -> None:
        a.flying = 2
        booking = await a.pace.book(TIER, 64)
        most = booking.most
        await a_beat(redis, "a")
        others = await b.books()
        await a.pace.place(TIER, booking, [])
        await a_beat(redis, "a")

        assert (most, others) == (MOST - 2, 0)
        assert await b.books() == MOST - 2

    play(broker_url, claim_slowly)


def test_a_fleet_in_flight_that_redis_forgot_is_not_doubled(broker_url: str) -> None:
    async def forget(redis: Redis, a: Process, b: Process) -> None:
        for each in (a, b):
            booking = await each.pace.book(TIER, MOST // 2)
            await each.pace.place(TIER, booking, [])
            each.flying = MOST // 2
        await redis.flushall()
        first = await a.books()
        await a_beat(redis, "a")
        await a_beat(redis, "b")
        await wait_for_room(redis)

        assert first == 0
        assert await a.books() == 0
        b.flying = 1
        await a_beat(redis, "b")
        assert await a.books() == MOST - MOST // 2 - 1

    play(broker_url, forget, IN_FLIGHT)


def test_a_rest_that_waits_for_a_person_stops_the_fleet_before_the_database_knows(
    broker_url: str,
) -> None:
    async def refuse(_: Redis, a: Process, b: Process) -> None:
        refused = Break(whole_tier=True, seconds=None, reason="no such key")
        said = [await a.pace.rest(a_claim(), refused) for _ in range(2)]

        assert said == [True, False]
        assert a.pace.is_resting(TIER, "m")
        assert await b.books() == 0

    play(broker_url, refuse)


def a_claim() -> Claim:
    return Claim("att_1", 1, "job", 1, TIER, "m", "{}", 0, datetime.now(UTC))


def test_an_idle_fleet_may_begin_at_once(broker_url: str) -> None:
    async def begin(_: Redis, a: Process, b: Process) -> None:
        assert (await a.books(), await b.books()) == (MOST, 0)

    play(broker_url, begin)


async def wait_for_room(redis: Redis) -> None:
    """Wait until what was forgotten is counted by what workers say alone."""
    for _ in range(1_000):
        _, until = (await said(redis, "forgotten") or b"0:0").split(b":")
        seconds, micro = await redis.time()
        if seconds * 1_000_000 + micro > int(until):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the fleet stayed full")


CENT = 10_000_000


@pytest.mark.parametrize("has_slot", [True, False])
def test_the_money_of_what_was_never_sent_comes_back_once(
    broker_url: str, *, has_slot: bool
) -> None:
    """Whether its slot went by and was given back, or it still had one when it was given up."""

    async def give_back(url: str) -> tuple[int, int, int]:
        redis = open_redis(url)
        await redis.flushall()
        one = Process(url, "a", spend_per_window="0.20", fleet_concurrency=None)
        booking = await one.pace.book(TIER, 64)
        first = booking.most
        claims = [
            Claim(f"att_{no}", no, "job", 1, TIER, "m", "{}", 4 * CENT, datetime.now(UTC))
            for no in range(first)
        ]
        turns, _ = await one.pace.place(TIER, booking, claims)
        full = (await one.pace.book(TIER, 64)).most
        if not has_slot:
            await one.pace.went_by(TIER, len(turns))
        for claim, turn in turns:
            turn.at = turn.at if has_slot else None
            one.pace.note(claim, turn, unsent_closing(claim, 0.0), None)
        again = (await one.pace.book(TIER, 64)).most
        await one.pace.close()
        await redis.aclose()
        return first, full, again

    first, full, again = asyncio.run(give_back(broker_url))

    assert (first, full) == (4, 0), "five cents are set aside for each, before one was seen"
    assert again == 4
