"""kill -9 of two schedulers, time and again, with many files on their way: each is taken once.

On SQLite, with one death at each point: `tests/flow/test_inbox.py`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.fault.rig.fleet import Fleet
from tests.fault.rig.valkey import Valkey

from darkroom import db
from darkroom.audit import audit
from darkroom.inbox import Terms, enroll
from darkroom.killpoints import Point
from darkroom.models import Drop, DropState, Job, Render

MakeFleet = Callable[..., Fleet]

GOOD, BAD, COPIES = 8, 3, 2
DEATHS = 2
QUICK = {"settle_seconds": 0.1, "scan_seconds": 0.2, "lease_seconds": 2}


def drop_everything(inbox: Path) -> None:
    """Good files, files with a bad row, and copies of good ones under other names."""
    for number in range(GOOD):
        text = "id,prompt\n" + "".join(f"r{row},lamp {number} {row}\n" for row in range(3))
        (inbox / f"good-{number}.csv").write_text(text)
        if number < COPIES:
            (inbox / f"again-{number}.csv").write_text(text)
    for number in range(BAD):
        (inbox / f"bad-{number}.csv").write_text(f"id,prompt\na,lamp {number}\nb,\n")


def left(inbox: Path) -> list[str]:
    return [path.name for path in inbox.iterdir() if path.is_file()]


def deaths(fleet: Fleet) -> int:
    return sum(clock.deaths for clock in fleet.clocks)


def states(fleet: Fleet) -> Counter[str]:
    with db.reading(fleet.room.database) as connection:
        return Counter(connection.scalars(select(Drop.state)))


def until(fleet: Fleet, is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < ends, states(fleet)
        if deaths(fleet) >= DEATHS:
            fleet.calm()  # a file that is always there when its watcher dies is refused in the end
        fleet.revive()
        time.sleep(0.05)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("point", [point for point in Point if point.startswith("I")])
def test_a_scheduler_that_dies_loses_no_file_and_takes_none_twice(
    make_fleet: MakeFleet, database_url: str, valkey: Valkey, tmp_path: Path, point: Point
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    fleet = make_fleet(database_url, valkey, workers=0, clocks=2, crash=f"{point}:1:", inbox=QUICK)
    with db.writing(fleet.room.database) as connection:
        enroll(connection, str(inbox), Terms())

    drop_everything(inbox)
    until(fleet, lambda: not left(inbox) and not states(fleet)[DropState.CLAIMED])
    for job in fleet.room.jobs():
        fleet.room.job(job.id).cancel()
    until(fleet, lambda: not states(fleet)[DropState.ACCEPTED])

    with db.reading(fleet.room.database) as connection:
        keys = list(
            connection.scalars(select(Job.idempotency_key).where(Job.loaded_at.is_not(None)))
        )
        loading = list(connection.scalars(select(Job.id).where(Job.loaded_at.is_(None))))
        renders = list(connection.scalars(select(Render.id)))
    assert (len(keys), len(set(keys)), loading) == (GOOD, GOOD, [])
    assert len(renders) == GOOD * 3
    assert list((inbox / "working").iterdir()) == []
    found = Counter(path.parent.name for path in inbox.glob("*/*.csv") if is_dropped(path))
    # Cancelled jobs have no image, so their files are failures; copies of them are no work.
    assert found == {"failed": GOOD + BAD, "done": COPIES}
    assert all(json.loads(path.read_bytes())["drop"] for path in inbox.glob("*/*.report.json"))
    assert deaths(fleet) > 0
    assert audit(fleet.room.database, fleet.room.settings.home) == []


def is_dropped(path: Path) -> bool:
    return not path.name.endswith(".rejected.csv")
