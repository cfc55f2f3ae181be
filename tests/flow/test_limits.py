"""Limits on a manifest's whole way: real workers, a real broker, the simulator as the judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from darkroom import Darkroom
from darkroom.audit import audit
from darkroom.report import TierState
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]

MODEL = "gemini-3.1-flash-image"


@pytest.fixture
def google() -> Iterator[Ready]:
    with running("--pictures", "cached") as ready:
        yield ready


def rows(many: int, prompt: str = "a lamp", **more: object) -> list[dict[str, object]]:
    return [{"id": f"r{number}", "prompt": f"{prompt} {number}", **more} for number in range(many)]


def state_of(room: Darkroom, tier: Tier) -> TierState:
    (found,) = [state for state in room.tiers() if state.tier is tier]
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.05)


def test_a_limit_that_is_the_provider_s_is_never_exceeded(open_room: Open, bill_of: Bill) -> None:
    room = open_room(
        simulator={"latency": "0", "pictures": "cached", "quota_rpm": 20},
        tiers={"simulator": {"requests_per_minute": 20, "concurrency": 20}},
    )

    job = room.submit(rows(4))

    assert job.wait(60).done == 4
    assert {line["outcome"] for line in bill_of(room)} == {"image"}


def test_a_day_s_requests_once_used_up_let_the_tier_rest_until_midnight(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room(tiers={"simulator": {"requests_per_day": 3}})

    job = room.submit(rows(5))
    room.render_here()
    wait_for(lambda: bool(room.rests()))

    (rest,) = room.rests()
    assert "Pacific day" in rest.reason
    assert rest.until is not None
    wait_for(lambda: job.state.done == 3)
    assert job.state.pending == 2
    assert len(bill_of(room)) == 3
    assert state_of(room, Tier.SIMULATOR).today == 3


def test_a_window_s_money_once_set_aside_lets_the_tier_rest(open_room: Open) -> None:
    room = open_room(tiers={"simulator": {"spend_per_window": "0.20"}})

    job = room.submit(rows(8))
    room.render_here()
    wait_for(lambda: bool(room.rests()) and job.state.sent == 0)

    assert "$0.20 of 10 minutes" in room.rests()[0].reason
    assert 0 < job.state.done < 8
    assert state_of(room, Tier.SIMULATOR).spent_nusd <= 200_000_000


def test_a_shared_pool_that_is_exhausted_teaches_a_rate_and_loses_nothing(
    open_room: Open, google: Ready
) -> None:
    room = open_room(
        vertex={"project": "p", "access_token": "token", "base_url": google.url},
        tiers={"vertex": {"adaptive_start": 600, "adaptive_least": 60}},
    )

    job = room.submit(
        rows(6, "a lamp [[sim:429-once]]", tier="vertex", model=MODEL), max_cost="9.00"
    )

    assert job.wait(60).done == 6
    rate = (state_of(room, Tier.VERTEX).learned or {})[MODEL]
    assert 60 <= rate.rate < 600
    assert not rate.is_slow_start
    assert room.rests() == []
    assert audit(room.database, room.settings.home, deep=True) == []
