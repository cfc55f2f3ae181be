"""Bells that nobody rang, doubled and made up by the thousand: not one request more is sent."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.fault.rig import messages
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

MakeFleet = Callable[..., Fleet]

MESSAGES = 3_000  # some 800 are heard in a second; `make faults` pours 100,000
IMAGES = 40


def test_doubled_and_invented_messages_send_nothing(
    make_fleet: MakeFleet, weak_valkey: Valkey, dice: random.Random
) -> None:
    model = messages.genuine(weak_valkey)
    messages.pour(weak_valkey, model, MESSAGES, dice)
    fleet = make_fleet(None, weak_valkey, clocks=2, simulator=("--latency", "0.1-0.4"))

    job = fleet.submit(rows(IMAGES))
    fleet.watch(job, 60)
    ends = time.monotonic() + 100
    while messages.waiting(weak_valkey):
        assert time.monotonic() < ends, f"{messages.waiting(weak_valkey)} messages still wait"
        fleet.revive()
        time.sleep(0.2)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (IMAGES, 0, 0)
    assert fleet.requests() == IMAGES
