"""Two seconds after everything was paused nothing leaves, whatever had gone wrong before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.valkey import Valkey

from darkroom import Job, db
from darkroom.audit import audit
from darkroom.models import Attempt, AttemptState

MakeFleet = Callable[..., Fleet]

PROMISED = timedelta(seconds=2)
OUTAGE_SECONDS = 6.0
STOPPED_SECONDS = 2.5  # longer than any slot is ahead


def slow_fleet(make_fleet: MakeFleet, valkey: Valkey, a_minute: float) -> Fleet:
    limits = {"simulator": {"concurrency": 4, "requests_per_minute": a_minute}}
    return make_fleet(None, valkey, workers=1, tiers=limits, worker={"lease_seconds": 20.0})


def until(fleet: Fleet, is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        fleet.revive()
        time.sleep(0.02)


def claimed(fleet: Fleet) -> int:
    """How many requests have left or wait for their turn."""
    went = Attempt.state != AttemptState.NOT_SENT
    with db.reading(fleet.room.database) as connection:
        return connection.scalar(select(func.count()).select_from(Attempt).where(went)) or 0


def arrivals(fleet: Fleet) -> list[datetime]:
    lines = fleet.bill.read_bytes().splitlines()
    return [datetime.fromisoformat(json.loads(line)["time"]) for line in lines]


def pause_and_wait(fleet: Fleet, job: Job) -> list[datetime]:
    """Pause; when nothing is on its way any more, what came later than was promised."""
    fleet.room.pause_all()
    (switch,) = fleet.room.rests()
    until(fleet, lambda: job.state.sent == 0)
    return [at for at in arrivals(fleet) if at > switch.since + PROMISED]


def test_after_an_outage_of_the_broker_the_kill_switch_is_as_quick_as_ever(
    make_fleet: MakeFleet, weak_valkey: Valkey
) -> None:
    fleet = slow_fleet(make_fleet, weak_valkey, 20)
    job = fleet.submit(rows(12))
    until(fleet, lambda: fleet.requests() == 2)

    weak_valkey.kill()
    time.sleep(OUTAGE_SECONDS)  # the fault itself
    weak_valkey.start()
    sent = fleet.requests()
    until(fleet, lambda: claimed(fleet) > sent)

    assert pause_and_wait(fleet, job) == []
    assert audit(fleet.room.database, fleet.room.settings.home) == []


def test_what_waits_for_another_slot_is_given_back_when_everything_is_paused(
    make_fleet: MakeFleet, valkey: Valkey
) -> None:
    fleet = slow_fleet(make_fleet, valkey, 12)
    job = fleet.submit(rows(12))
    until(fleet, lambda: fleet.requests() == 1 and claimed(fleet) == 2)

    (worker,) = fleet.workers
    worker.freeze()
    time.sleep(STOPPED_SECONDS)  # the fault itself
    worker.thaw()

    assert pause_and_wait(fleet, job) == []
    assert fleet.requests() == 1
    assert audit(fleet.room.database, fleet.room.settings.home) == []
