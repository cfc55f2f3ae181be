"""The database dies, loses its voice after a commit, or has no room: the books hold afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.postgres import WeakPostgreSQL
from tests.fault.rig.proxy import CommitCutter
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

from darkroom.report import JobState
from darkroom_manifests.tier import Tier

MakeFleet = Callable[..., Fleet]

LATENCY = ("--latency", "0.1-0.4")


def test_postgresql_may_stop_at_once_under_load_again_and_again(
    make_fleet: MakeFleet, weak_postgres: WeakPostgreSQL, valkey: Valkey, dice: random.Random
) -> None:
    fleet = make_fleet(
        weak_postgres.new_database(),
        valkey,
        simulator=LATENCY,
        tier=Tier.VERTEX,
        budget={"per_day": "90"},
    )
    job = fleet.submit(rows(60))
    crash_at = sorted(dice.sample(range(1, 30), 3))  # the rest is there to be hurt

    def crash(state: JobState) -> None:
        if crash_at and state.sent and state.done >= crash_at[0]:
            del crash_at[0]
            weak_postgres.crash()
            weak_postgres.restart()

    fleet.watch(job, 90, crash)
    verdict = examine(fleet)

    assert crash_at == []
    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (60, 0, 0)


@pytest.fixture
def cutter(sockets: Path, dice: random.Random) -> Iterator[CommitCutter]:
    folder = sockets / "wire"
    folder.mkdir()
    cutter = CommitCutter(folder, sockets, dice, chance=0.1)
    yield cutter
    cutter.close()


def test_a_commit_whose_reply_is_lost_is_neither_lost_nor_done_twice(
    make_fleet: MakeFleet,
    weak_postgres: WeakPostgreSQL,
    cutter: CommitCutter,
    sockets: Path,
    valkey: Valkey,
) -> None:
    wire = weak_postgres.new_database().replace(str(sockets), str(sockets / "wire"))
    fleet = make_fleet(wire, valkey, simulator=LATENCY)
    job = fleet.submit(rows(50))
    cutter.armed = True

    fleet.watch(job, 90)
    cutter.armed = False
    verdict = examine(fleet)

    assert cutter.cuts > 0
    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (50, 0, 0)
