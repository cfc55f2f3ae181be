"""kill -9 at each point on an attempt's way, one time in four: what it may cost, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.fault.rig.fleet import Fleet, chains, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine, states_of

from darkroom import Job
from darkroom.jobs.rests import DAY_SPENT
from darkroom.killpoints import Point
from darkroom.report import JobState
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier

MakeFleet = Callable[..., Fleet]

IMAGES = 40
IN_FLIGHT = 4
COSTLY = {Point.CLAIMED, Point.SENT, Point.ANSWERED}  # the answer may exist at the provider only
REAL_MONEY: dict[str, Any] = {"tier": Tier.VERTEX, "budget": {"per_day": "90", "total": "95"}}
RUNS = 5  # after so many without a death, one time in four is not one time in four


def judge(fleet: Fleet, point: Point) -> None:
    """Let workers die at a point until one has; then hear the witnesses."""
    for run in range(RUNS):
        fleet.watch(fleet.submit(chains(IMAGES, f"of run {run}")), 60)
        if fleet.deaths:
            break
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert verdict.images + verdict.held == IMAGES * (run + 1)
    assert verdict.deaths > 0
    assert verdict.paid_twice <= verdict.lost <= verdict.deaths * IN_FLIGHT
    if point not in COSTLY:
        assert "lost" not in states_of(fleet, fleet.killed_at(point))


@pytest.mark.parametrize("point", [point for point in Point if point.startswith("P")])
def test_who_dies_there_loses_nothing_that_had_come_further_than_memory(
    make_fleet: MakeFleet, database_url: str, valkey: Valkey, seed: int, point: Point
) -> None:
    latency = ("--latency", "0.02-0.3", "--seed", str(seed))
    fleet = make_fleet(
        database_url, valkey, crash=f"{point}:0.25:{seed}", simulator=latency, **REAL_MONEY
    )

    judge(fleet, point)


@pytest.mark.parametrize(("point", "chance"), [(Point.PUBLISHED, 0.05), (Point.BOOKED, 0.25)])
def test_who_dies_after_an_upload_leaves_one_object_that_is_adopted(
    make_fleet: MakeFleet, valkey: Valkey, seed: int, point: Point, chance: float
) -> None:
    """Uploads come past their point one by one, what is booked comes together."""
    fleet = make_fleet(None, valkey, crash=f"{point}:{chance}:{seed}", in_bucket=True)

    judge(fleet, point)

    assert fleet.killed_at(point) != set()


def test_workers_that_die_do_not_get_past_the_budget_of_a_day(
    make_fleet: MakeFleet, database_url: str, valkey: Valkey
) -> None:
    budget = {"per_day": "1.20"}  # of $1.54
    fleet = make_fleet(
        database_url, valkey, tier=Tier.VERTEX, budget=budget, simulator=("--latency", "0.2")
    )
    job = fleet.submit(rows(IMAGES))
    kill_at = [1, 3]  # early: what is at risk may use up the day before more are done

    def kill(state: JobState) -> None:
        if kill_at and state.sent and state.done >= kill_at[0]:
            del kill_at[0]
            for worker in fleet.workers:
                worker.kill()

    fleet.watch(job, 60, kill, is_over=lambda state: not state.sent and day_is_spent(job))
    job.cancel()
    verdict = examine(fleet)

    assert kill_at == []
    assert verdict.violations == ()
    assert verdict.lost > 0
    assert 0 < verdict.images < IMAGES
    assert verdict.bill_nusd <= verdict.charged_nusd + verdict.at_risk_nusd <= 1.2 * NANO


def day_is_spent(job: Job) -> bool:
    return any(rest.reason == DAY_SPENT for rest in job.waits())
