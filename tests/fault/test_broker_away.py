"""The broker dies, forgets or freezes: the bell is silent for a while, and nothing else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

from darkroom.report import JobState

MakeFleet = Callable[..., Fleet]

IMAGES = 60
LATENCY = ("--latency", "0.1-0.4")
FROZEN_SECONDS = 10.0


def kill(valkey: Valkey) -> None:
    valkey.kill()
    valkey.start()


def freeze(valkey: Valkey) -> None:
    valkey.process.freeze()
    time.sleep(FROZEN_SECONDS)  # the fault itself
    valkey.process.thaw()


def harm(valkey: Valkey, how: Callable[[Valkey], None], at: list[int]) -> Callable[..., None]:
    """Do it while answers are in flight, each time after another number of images."""

    def tick(state: JobState) -> None:
        if at and state.sent and state.done >= at[0]:
            del at[0]
            how(valkey)

    return tick


@pytest.mark.parametrize(
    ("weak_valkey", "how", "times"),
    [("aof", kill, 3), ("", kill, 3), ("", Valkey.flush, 5), ("", freeze, 1)],
    ids=["killed-with-aof", "killed-without", "flushed", "frozen"],
    indirect=["weak_valkey"],
)
def test_a_broker_that_fails_loses_no_image_and_pays_for_none_twice(
    make_fleet: MakeFleet,
    weak_valkey: Valkey,
    dice: random.Random,
    how: Callable[[Valkey], None],
    times: int,
) -> None:
    fleet = make_fleet(None, weak_valkey, simulator=LATENCY)
    job = fleet.submit(rows(IMAGES))
    moments = sorted(dice.sample(range(1, IMAGES // 2), times))  # the rest is there to be hurt

    fleet.watch(job, 90, harm(weak_valkey, how, moments))
    verdict = examine(fleet)

    assert moments == []
    assert verdict.violations == ()
    assert verdict.deaths == 0
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (IMAGES, 0, 0)
