"""The limiter on a real Valkey server."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from darkroom import gauges
from darkroom.broker import Broker
from darkroom.report import Past
from darkroom.settings import Limits
from darkroom_manifests.tier import Tier
from darkroom_worker.limits import Limiter, LimiterAway, gap_of, open_redis
from darkroom_worker.slots import HORIZON, SETTLE, Lesson, Slots, Want, Why

T = TypeVar("T")
SIXTY = Limits(requests_per_minute=60)
SIX_HUNDRED = Limits(requests_per_minute=600)
NOTHING = Past(minute=0, newest=None, today=0, in_flight=0, spending=())
ADAPTIVE = Limits(adaptive=True, adaptive_start=120, adaptive_least=6, adaptive_most=1_200)
MODEL = "gemini-3.1-flash-image"
LONG_AGO = 1


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("home"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def broker_url(broker: Broker) -> str:
    return f"unix://{broker._socket}"


class Fleet:
    """Some workers over one server, and a second client to look behind the scenes."""

    def __init__(self, url: str) -> None:
        self.redis: Redis = open_redis(url)
        self._url = url
        self._workers: dict[str, Limiter] = {}

    def worker(self, name: str) -> Limiter:
        return self._workers.setdefault(name, Limiter(open_redis(self._url), name))

    async def book(
        self, limits: Limits, most: int, *, worker: str = "a", past: Past = NOTHING, **more: float
    ) -> Slots:
        """Book as a worker does: what was forgotten is filled in first."""
        limiter, gap = self.worker(worker), gap_of(limits, 0)
        want = Want(most=most, gap=gap, **more)  # type: ignore[arg-type]
        slots = await limiter.book(Tier.AISTUDIO, limits, want)
        if slots.why is Why.LOST:
            await limiter.seed(Tier.AISTUDIO, limits, gap, past)
            slots = await limiter.book(Tier.AISTUDIO, limits, want)
        return slots

    async def close(self) -> None:
        await self.redis.aclose()
        for limiter in self._workers.values():
            await limiter.close()


def run(url: str, work: Callable[[Fleet], Awaitable[T]]) -> T:
    async def with_fleet() -> T:
        fleet = Fleet(url)
        try:
            return await work(fleet)
        finally:
            await fleet.close()

    return asyncio.run(with_fleet())


@pytest.fixture(autouse=True)
def empty(broker_url: str) -> None:
    run(broker_url, lambda fleet: fleet.redis.flushall())


def spaces(slots: Slots) -> list[float]:
    times = [slot.us for slot in slots.booked]
    return [(later - sooner) / 1e6 for sooner, later in itertools.pairwise(times)]


def test_slots_are_evenly_spaced_and_never_a_burst(broker_url: str) -> None:
    slots = run(broker_url, lambda fleet: fleet.book(SIX_HUNDRED, 5))

    assert spaces(slots) == pytest.approx([0.1005] * 4, abs=1e-5)


def test_a_slot_too_far_ahead_is_not_booked_but_its_wait_is_told(broker_url: str) -> None:
    slots = run(broker_url, lambda fleet: fleet.book(SIXTY, 50))

    assert len(slots.booked) == 2
    assert slots.why is Why.PACE
    assert slots.wait == pytest.approx(2 * 1.005 - HORIZON, abs=1e-3)


def test_two_workers_share_one_rate(broker_url: str) -> None:
    async def both(fleet: Fleet) -> list[int]:
        first = await fleet.book(SIX_HUNDRED, 8, worker="a")
        second = await fleet.book(SIX_HUNDRED, 8, worker="b")
        return [slot.us for slot in (*first.booked, *second.booked)]

    times = run(broker_url, both)

    assert len(times) == 16
    assert all(b - a >= 100_499 for a, b in itertools.pairwise(times))


def test_tiers_do_not_share_a_rate(broker_url: str) -> None:
    async def both(fleet: Fleet) -> Slots:
        await fleet.book(SIXTY, 50)
        want = Want(most=1, gap=gap_of(SIXTY, 0))
        await fleet.worker("a").seed(Tier.VERTEX, SIXTY, want.gap, NOTHING)
        return await fleet.worker("a").book(Tier.VERTEX, SIXTY, want)

    assert len(run(broker_url, both).booked) == 1


@pytest.mark.parametrize(
    ("limits", "tokens", "gap"),
    [
        (Limits(requests_per_minute=6_000, images_per_minute=600), 0, 0.1005),
        (Limits(requests_per_minute=6_000, tokens_per_minute=60_000), 200, 0.201),
        (Limits(), 200, 0),
    ],
)
def test_the_slowest_of_several_limits_sets_the_pace(
    limits: Limits, tokens: float, gap: float
) -> None:
    assert gap_of(limits, tokens) == pytest.approx(gap)


def test_without_limits_every_slot_is_now(broker_url: str) -> None:
    slots = run(broker_url, lambda fleet: fleet.book(Limits(), 100))

    assert spaces(slots) == [0.0] * 99
    assert slots.why is Why.NOTHING


def test_slots_that_were_given_back_go_to_the_next_worker(broker_url: str) -> None:
    async def hand_over(fleet: Fleet) -> tuple[list[int], list[int]]:
        first = await fleet.book(SIX_HUNDRED, 16, worker="a")
        unused = first.booked[10:]  # the first of them is a second ahead
        await fleet.worker("a").unbook(Tier.AISTUDIO, SIX_HUNDRED, len(unused), unused, 0)
        second = await fleet.book(SIX_HUNDRED, 8, worker="b")
        return [slot.us for slot in unused], [slot.us for slot in second.booked]

    unused, taken = run(broker_url, hand_over)

    assert taken[:6] == unused
    assert taken[6] - taken[5] == pytest.approx(100_500, abs=2)


def test_slots_sooner_than_a_worker_can_use_are_left_to_others(broker_url: str) -> None:
    async def hand_over(fleet: Fleet) -> tuple[Slots, Slots]:
        first = await fleet.book(SIX_HUNDRED, 18, worker="a")
        await fleet.worker("a").unbook(Tier.AISTUDIO, SIX_HUNDRED, 18, first.booked, 0)
        slow = await fleet.book(SIX_HUNDRED, 1, worker="b", lead=0.5)
        return first, slow

    first, slow = run(broker_url, hand_over)

    assert slow.booked[0].us >= first.booked[0].us + 490_000
    assert slow.booked[0].us in {slot.us for slot in first.booked}


def test_a_resting_tier_has_no_slot_until_its_rest_is_over(broker_url: str) -> None:
    async def rest_then_book(fleet: Fleet) -> Slots:
        await fleet.worker("a").rest(Tier.AISTUDIO, 30)
        return await fleet.book(SIX_HUNDRED, 5, worker="b")

    slots = run(broker_url, rest_then_book)

    assert slots.booked == ()
    assert slots.why is Why.REST
    assert slots.wait == pytest.approx(30 - HORIZON, abs=1)


def test_a_short_rest_does_not_shorten_a_long_one(broker_url: str) -> None:
    async def rest_twice(fleet: Fleet) -> list[float]:
        waits = []
        for seconds in (30.0, 5.0, 60.0):
            await fleet.worker("a").rest(Tier.AISTUDIO, seconds)
            waits.append((await fleet.book(SIX_HUNDRED, 5, worker="b")).wait)
        return waits

    waits = run(broker_url, rest_twice)

    assert waits == pytest.approx([30 - HORIZON, 30 - HORIZON, 60 - HORIZON], abs=1)


def test_a_person_ends_a_rest(broker_url: str) -> None:
    run(broker_url, lambda fleet: fleet.worker("a").rest(Tier.AISTUDIO, 30))

    assert gauges.wake(broker_url, Tier.AISTUDIO)

    assert len(run(broker_url, lambda fleet: fleet.book(SIX_HUNDRED, 5)).booked) == 5


def test_a_flushed_server_books_nothing_until_it_was_told_what_was_sent(broker_url: str) -> None:
    async def lose_everything(fleet: Fleet) -> tuple[Slots, Slots, Slots]:
        before = await fleet.book(SIX_HUNDRED, 50)
        await fleet.redis.flushall()
        limiter, want = fleet.worker("a"), Want(most=50, gap=gap_of(SIX_HUNDRED, 0), ahead=4)
        lost = await limiter.book(Tier.AISTUDIO, SIX_HUNDRED, want)
        past = Past(minute=100, newest=0.1, today=0, in_flight=0, spending=())
        await limiter.seed(Tier.AISTUDIO, SIX_HUNDRED, want.gap, past)
        return before, lost, await limiter.book(Tier.AISTUDIO, SIX_HUNDRED, want)

    before, lost, after = run(broker_url, lose_everything)

    assert (lost.booked, lost.why) == ((), Why.LOST)
    assert after.booked[0].us >= before.booked[-1].us + 100_000
    assert after.booked[0].us >= before.booked[0].us + SETTLE * 1e6
    assert min(spaces(after)) == pytest.approx(0.1005, abs=1e-5)


def test_the_day_s_requests_are_counted_on_and_given_back(broker_url: str) -> None:
    limits = Limits(requests_per_day=10)
    past = Past(minute=0, newest=None, today=4, in_flight=0, spending=())

    async def use_up(fleet: Fleet) -> list[int]:
        first = await fleet.book(limits, 4, past=past)
        second = await fleet.book(limits, 4, worker="b")
        third = await fleet.book(limits, 4)
        await fleet.worker("b").unbook(Tier.AISTUDIO, limits, 2, (), 0)
        fourth = await fleet.book(limits, 4)
        assert third.why is Why.DAY
        return [len(slots.booked) for slots in (first, second, third, fourth)]

    assert run(broker_url, use_up) == [4, 2, 0, 2]


def test_a_second_seed_changes_nothing(broker_url: str) -> None:
    limits = Limits(requests_per_day=10, spend_per_window="1")
    past = Past(minute=0, newest=None, today=4, in_flight=0, spending=((30.0, 900_000_000),))

    async def seed_twice(fleet: Fleet) -> Slots:
        for _ in range(2):
            await fleet.worker("a").seed(Tier.AISTUDIO, limits, 0, past)
        return await fleet.book(limits, 100, each_nusd=10_000_000)

    slots = run(broker_url, seed_twice)

    assert len(slots.booked) == 6
    assert slots.why is Why.DAY


def test_money_of_a_window_is_kept_by_what_is_booked_and_corrected(broker_url: str) -> None:
    limits = Limits(spend_per_window="1", spend_window_seconds=600)
    past = Past(
        minute=3, newest=0.0, today=3, in_flight=0, spending=((500.0, 400_000_000), (1.0, 0))
    )

    async def spend(fleet: Fleet) -> tuple[Slots, Slots, Slots]:
        first = await fleet.book(limits, 9, past=past, each_nusd=100_000_000)
        second = await fleet.book(limits, 9, each_nusd=100_000_000)
        third = await fleet.book(limits, 9, each_nusd=100_000_000, correction_nusd=-250_000_000)
        return first, second, third

    first, second, third = run(broker_url, spend)

    assert [len(slots.booked) for slots in (first, second, third)] == [6, 0, 2]
    assert second.why is Why.SPEND
    assert 100 - 1 <= second.wait <= 110 + 1


def test_requests_in_flight_are_limited_over_all_workers(broker_url: str) -> None:
    limits = Limits(fleet_concurrency=10)

    async def fly(fleet: Fleet) -> tuple[int, ...]:
        a = await fleet.book(limits, 8, worker="a")
        b = await fleet.book(limits, 8, worker="b")
        c = await fleet.book(limits, 8, worker="c")
        await fleet.book(limits, 0, worker="a", flying=3)
        landed = await fleet.book(limits, 8, worker="c")
        await fleet.worker("b").leave([Tier.AISTUDIO])
        left = await fleet.book(limits, 8, worker="c", flying=5)
        return tuple(len(slots.booked) for slots in (a, b, c, landed, left))

    assert run(broker_url, fly) == (8, 2, 0, 5, 2)


def test_a_dead_worker_s_requests_in_flight_are_forgotten(broker_url: str) -> None:
    limits = Limits(fleet_concurrency=10)

    async def die(fleet: Fleet) -> Slots:
        await fleet.book(limits, 10, worker="dead")
        key = gauges.key(Tier.AISTUDIO, "flying")
        await fleet.redis.hset(key, "dead", f"10:{LONG_AGO}")
        return await fleet.book(limits, 10, worker="alive")

    assert len(run(broker_url, die).booked) == 10


def learned(url: str, *lessons: Lesson, most: int = 0) -> list[Slots]:
    async def teach(fleet: Fleet) -> list[Slots]:
        said = []
        for lesson in lessons:
            want = Want(most=most)
            said.append(await fleet.worker("a").learn(Tier.VERTEX, MODEL, ADAPTIVE, want, lesson))
        return said

    return run(url, teach)


def test_a_rate_doubles_each_round_until_the_first_cut(broker_url: str) -> None:
    good = Lesson(good=20, round=10.0)  # what 120 a minute bring in ten seconds

    begins, doubled, halved = learned(
        broker_url, Lesson(), good, Lesson(throttled_us=2 * 10**15), most=3
    )

    assert begins.rate == 120
    assert doubled.rate == 240
    assert halved.rate == 120


def test_after_a_cut_a_rate_grows_by_a_tenth_a_minute(broker_url: str) -> None:
    cut = Lesson(throttled_us=2 * 10**15)

    *_, halved, grown = learned(broker_url, Lesson(), cut, Lesson(good=60), most=3)

    assert halved.rate == 60
    assert grown.rate == pytest.approx(66, rel=0.01)


def test_a_round_trip_of_throttled_answers_cuts_once(broker_url: str) -> None:
    cut = Lesson(throttled_us=10**9)  # sent long before the first cut

    rates = [slots.rate for slots in learned(broker_url, Lesson(), cut, cut, cut, most=3)]

    assert rates == [120, 60, 60, 60]


def test_a_rate_stays_between_its_bounds_and_grows_only_in_use(broker_url: str) -> None:
    unused = learned(broker_url, Lesson(good=1_000))
    top = learned(broker_url, Lesson(), Lesson(good=10_000), most=3)
    falling = [Lesson(throttled_us=10**16 * n) for n in range(1, 12)]
    bottom = learned(broker_url, *falling)

    assert unused[-1].rate == 120
    assert top[-1].rate == 1_200
    assert bottom[-1].rate >= 6


def test_a_learned_rate_is_seen_from_outside_and_outlives_its_workers(broker_url: str) -> None:
    learned(broker_url, Lesson(), Lesson(throttled_us=10**9), most=1)

    seen = gauges.look(broker_url, [Tier.VERTEX])

    assert seen is not None
    rate = seen[Tier.VERTEX].learned[MODEL]
    assert (rate.rate, rate.is_slow_start) == (60, False)
    assert rate.cut_at is not None


def test_a_server_that_is_away_means_that_nothing_may_be_sent(tmp_path: Path) -> None:
    with pytest.raises(LimiterAway):
        run(f"unix://{tmp_path}/nobody.sock", lambda fleet: fleet.book(SIXTY, 1))


def test_a_frozen_server_is_taken_for_away_and_serves_again_when_it_thaws(broker: Broker) -> None:
    assert broker._process is not None
    pid = broker._process.pid

    async def freeze(fleet: Fleet) -> Slots:
        await fleet.book(SIX_HUNDRED, 1)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(LimiterAway):
                await fleet.book(SIX_HUNDRED, 1)
        finally:
            os.kill(pid, signal.SIGCONT)
        return await fleet.book(SIX_HUNDRED, 1)

    assert len(run(f"unix://{broker._socket}", freeze).booked) == 1
