"""Object storage goes wrong under a running room: nothing is rendered twice, nothing is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import select
from tests.fault.rig.fleet import Fleet
from tests.fault.rig.fleet import rows as fleet_rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom.killpoints import Point
from darkroom.models import Worker
from darkroom.report import JobState

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]
MakeFleet = Callable[..., Fleet]

NAME = "{id}_{variant}.{ext}"  # known before there is a job


class ObjectStorage(Protocol):
    def new_bucket(self) -> str: ...

    def objects(self, bucket: str) -> list[dict[str, object]]: ...

    def harm(self, *rules: dict[str, object]) -> None: ...

    def answered(self) -> dict[str, int]: ...


class Reached(Exception):
    """What was waited for has come."""


def rows(how_many: int) -> list[dict[str, object]]:
    return [{"id": f"r{number}", "prompt": f"lamp number {number}"} for number in range(how_many)]


def wait_until(job: Job, is_reached: Callable[[JobState], bool]) -> None:
    """Look at a job, at most a minute, until something is so."""

    def look(state: JobState) -> None:
        if is_reached(state):
            raise Reached

    with pytest.raises(Reached):
        job.wait(60, tell=look)


def assert_each_paid_and_stored_once(
    room: Darkroom, job: Job, lines: list[dict[str, object]], objects: list[dict[str, object]]
) -> None:
    assert audit(room.database, room.settings.home, deep=True, gcs=room.settings.gcs) == []
    billed = Counter(str(line["prompt_sha256"]) for line in lines if line["images"])
    assert set(billed.values()) == {1}
    assert len(billed) == job.state.done
    names = Counter(str(each["name"]) for each in objects)
    assert set(names.values()) == {1}
    assert len(names) == job.state.done
    assert job.cost.total.at_risk_nusd == 0


def test_storms_lost_replies_and_resets_leave_each_image_once(
    object_storage: ObjectStorage, open_room: Open, bill_of: Bill
) -> None:
    bucket = object_storage.new_bucket()
    object_storage.harm(
        {"fault": "503", "probability": 0.3, "name": "r1"},
        {"fault": "429", "probability": 0.1},
        {"fault": "503-after", "deeds": ["create"], "probability": 0.2},
        {"fault": "reset-after", "deeds": ["create"], "probability": 0.1},
        {"fault": "wrong-crc", "deeds": ["create"], "probability": 0.05},
    )
    room = open_room(storage_url=f"{bucket}/renders")
    job = room.submit(rows(60))

    assert job.wait(110).done == 60

    object_storage.harm()
    assert object_storage.answered()["create 412"] > 0
    assert_each_paid_and_stored_once(room, job, bill_of(room), object_storage.objects(bucket))


def test_a_bucket_that_is_gone_for_a_while_holds_up_its_images_and_nothing_else(
    object_storage: ObjectStorage, open_room: Open, bill_of: Bill
) -> None:
    bucket = object_storage.new_bucket()
    object_storage.harm({"fault": "bucket-gone"})
    room = open_room(storage_url=bucket)
    refused: dict[str, object] = {"id": "no", "prompt": "a lamp [[sim:refuse]]"}
    job = room.submit([*rows(6), refused])

    room.render_here()
    wait_until(job, lambda state: state.refused == 1 and spooled(room) == 6)
    assert (job.state.sent, job.state.done) == (6, 0)
    object_storage.harm()

    assert job.wait(100).done == 6
    assert_each_paid_and_stored_once(room, job, bill_of(room), object_storage.objects(bucket))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to end"])
def test_images_that_wait_for_a_bucket_survive_their_worker(
    object_storage: ObjectStorage, open_room: Open, bill_of: Bill, end: signal.Signals
) -> None:
    bucket = object_storage.new_bucket()
    object_storage.harm({"fault": "bucket-gone"})
    room = open_room(storage_url=bucket, worker={"grace_seconds": 1.0})
    job = room.submit(rows(6))
    room.render_here()
    wait_until(job, lambda _: spooled(room) == 6)
    before = live_workers(room)

    for pid in before.values():
        with suppress(ProcessLookupError):
            os.kill(pid, end)
    wait_until(job, lambda _: before.keys().isdisjoint(live_workers(room)))
    wait_until(job, lambda _: taken_over(room, before) and spooled(room) == 6)
    assert (job.state.sent, job.state.done) == (6, 0)
    object_storage.harm()

    assert job.wait(100).done == 6
    assert_each_paid_and_stored_once(room, job, bill_of(room), object_storage.objects(bucket))


def test_no_more_is_paid_for_than_can_wait_for_a_place(
    object_storage: ObjectStorage, open_room: Open, bill_of: Bill
) -> None:
    bucket = object_storage.new_bucket()
    object_storage.harm({"fault": "bucket-gone"})
    limits = {"simulator": {"concurrency": 4}}
    room = open_room(storage_url=bucket, tiers=limits, worker={"most_waiting": 6})
    job = room.submit(rows(40))

    room.render_here()
    wait_until(job, lambda _: spooled(room) >= 6)
    wait_until(job, lambda _: object_storage.answered().get("create 404", 0) >= 25)
    waiting = len(bill_of(room))
    object_storage.harm()

    assert 6 <= waiting <= 6 + 2 * 4
    assert job.wait(100).done == 40
    assert_each_paid_and_stored_once(room, job, bill_of(room), object_storage.objects(bucket))


def test_an_upload_slower_than_its_deadline_is_stored_once(
    make_fleet: MakeFleet, valkey: Valkey, tmp_path: Path
) -> None:
    scenario = tmp_path / "slow.toml"
    scenario.write_text(
        '[[storage]]\nfault = "slow"\nseconds = 3\ndeeds = ["create"]\nprobability = 0.5\n'
    )
    fleet = make_fleet(
        None,
        valkey,
        simulator=("--scenario", str(scenario)),
        in_bucket=True,
        gcs={"deadline_seconds": 1.0},
    )

    fleet.watch(fleet.submit(fleet_rows(20)), 90)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (20, 0, 0)
    assert fleet.storage_answers()["create 412"] > 0


def test_an_image_whose_name_a_stranger_has_lies_beside_it_even_if_its_worker_dies(
    make_fleet: MakeFleet, valkey: Valkey, seed: int
) -> None:
    crash = f"{Point.PUBLISHED}:0.05:{seed}"
    fleet = make_fleet(None, valkey, crash=crash, in_bucket=True, output={"path": NAME})
    for number in range(0, 40, 2):
        fleet.plant(f"r{number}_1.jpg")

    job = fleet.submit(fleet_rows(40))
    fleet.watch(job, 60)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert verdict.images + verdict.held == 40
    assert fleet.storage_answers()["create 412"] >= len(fleet.strangers)
    assert len(fleet.place.found()) == verdict.images + len(fleet.strangers)


def spooled(room: Darkroom) -> int:
    """How many pictures lie in the spools of this machine."""
    try:
        return len(list((room.settings.home / "spool").glob("*/att_*")))
    except FileNotFoundError:  # a worker clears a dead one's folder away: look again
        return spooled(room)


def live_workers(room: Darkroom) -> dict[str, int]:
    with db.reading(room.database) as connection:
        query = select(Worker.id, Worker.pid).where(Worker.ended_at.is_(None))
        return {row.id: row.pid for row in connection.execute(query)}


def taken_over(room: Darkroom, dead: dict[str, int]) -> bool:
    """Whether a living worker holds what the dead ones left."""
    return live_workers(room) != {} and not any(
        (room.settings.home / "spool" / worker).exists() for worker in dead
    )
