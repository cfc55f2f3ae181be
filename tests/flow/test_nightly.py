"""Schedules with real scheduler processes: in real time, and by a clock that a file tells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.fleet.command import Ran, called
from tests.fleet.fleet import free_port
from tests.fleet.valkey import Valkey

from darkroom import Darkroom, db
from darkroom.audit import audit
from darkroom.configure import hand_down
from darkroom.killpoints import VARIABLE
from darkroom.models import RunState, Schedule
from darkroom.schedules import file
from darkroom.schedules.desk import Desk, Seen
from darkroom.settings import Settings

FAR = 40.0
NIGHT = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, for the first time
DAY = timedelta(days=1)


class House:
    """A folder with schedules, and schedulers that go by a clock of ours."""

    def __init__(self, folder: Path, broker_url: str) -> None:
        self.folder = folder
        told: dict[str, Any] = {"home": folder / "home", "storage_url": str(folder / "out")}
        told |= {"broker_url": broker_url, "schedule": {"lease_seconds": 2}}
        self.settings = Settings.model_validate(told)
        self.room = Darkroom(self.settings)
        self.desk = Desk(self.room)
        self.clock = folder / "clock"
        self.processes: list[subprocess.Popen[bytes]] = []

    def apply(self, now: datetime, text: str) -> None:
        path = self.folder / "n.toml"
        head = 'name = "n"\ntimezone = "Europe/Berlin"\n'
        usual = "" if "cron" in text else 'cron = "30 2 * * *"\n'
        tier = "" if "tier" in text else 'tier = "simulator"\n'
        path.write_text(head + usual + tier + text, encoding="utf-8")
        self.desk.apply([file.read(path, self.settings, self.folder)])
        with db.writing(self.room.database) as connection:
            connection.execute(update(Schedule).values(looked_until=now))
        self.tell(now)

    def tell(self, now: datetime) -> None:
        part = self.clock.with_suffix(".part")
        part.write_text(now.isoformat(), encoding="utf-8")
        part.replace(self.clock)

    def schedule(self, crash: str | None = None) -> subprocess.Popen[bytes]:
        """Start a scheduler."""
        told = {} if crash is None else {VARIABLE: crash}
        log = (self.folder / f"scheduler-{len(self.processes)}.log").open("wb")
        command = [sys.executable, "-m", "darkroom_scheduler", "--rehearse", str(self.clock)]
        env = {**os.environ, **hand_down(self.settings), **told}
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def runs(self) -> list[Seen]:
        return self.desk.runs("n", 99)

    def until(self, is_so: Callable[[], object]) -> None:
        ends = time.monotonic() + FAR
        while not is_so():
            assert time.monotonic() < ends, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        logs = [path.read_text() for path in sorted(self.folder.glob("*.log"))]
        return "\n".join([repr([seen.run for seen in self.runs()]), *logs])

    def until_states(self, *states: RunState) -> list[Seen]:
        self.until(lambda: [seen.run.state for seen in self.runs()] == list(states))
        return self.runs()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.room.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    place = tmp_path / "valkey"
    place.mkdir()
    server = Valkey(place, port=free_port(), password="p")
    server.start()
    house = House(tmp_path, server.url)
    try:
        db.upgrade(db.open_engine(house.settings.sql_url))
        yield house
    finally:
        house.close()
        server.stop()


def feed(house: House, day: str, rows: int = 3) -> None:
    lines = [f"r{number},lamp {number} of {day}" for number in range(rows)]
    (house.folder / f"{day}.csv").write_text("\n".join(["id,prompt", *lines]) + "\n")


def test_two_schedulers_make_one_job_of_each_night_also_of_one_with_25_hours(
    house: House,
) -> None:
    feed(house, "2027-10-31")
    feed(house, "2027-11-01")
    house.apply(
        NIGHT - timedelta(hours=1), 'overlap = "allow"\nsource = { manifest = "{date}.csv" }'
    )
    house.schedule()
    house.schedule()

    house.tell(NIGHT)
    house.until_states(RunState.SUBMITTED)
    house.tell(NIGHT + timedelta(hours=1))  # it is 02:30 once more
    house.tell(NIGHT + DAY + timedelta(hours=1))
    second, first = house.until_states(RunState.SUBMITTED, RunState.SUBMITTED)

    assert (first.run.local_date, second.run.local_date) == ("2027-10-31", "2027-11-01")
    assert [seen.job.total for seen in (first, second) if seen.job] == [3, 3]
    assert len(house.room.jobs()) == 2
    assert audit(house.room.database, house.settings.home) == []


def test_of_a_catalog_only_what_changed_since_the_last_night_is_made(house: House) -> None:
    rows = {"lamp": "a lamp", "mug": "a mug", "chair": "a chair"}
    tonight = {"lamp": "a brass lamp", "mug": "a mug", "desk": "a desk"}
    for day, each in (("2027-10-31", rows), ("2027-11-01", tonight)):
        lines = [f"{name},{prompt}" for name, prompt in each.items()]
        (house.folder / f"{day}.csv").write_text("\n".join(["id,prompt", *lines]) + "\n")
    terms = 'overlap = "allow"\ncatalog = "shop"\nsource = { manifest = "{date}.csv" }'
    house.apply(NIGHT - timedelta(hours=1), terms)
    house.schedule()

    house.tell(NIGHT)
    house.until_states(RunState.SUBMITTED)
    house.tell(NIGHT + DAY + timedelta(hours=1))
    second, first = house.until_states(RunState.SUBMITTED, RunState.SUBMITTED)

    jobs = [seen.job for seen in (first, second) if seen.job]
    assert [(job.total, job.unchanged, job.catalog) for job in jobs] == [
        (3, 0, "shop"),
        (2, 1, "shop"),
    ]
    again = house.room.plan(house.folder / "2027-10-31.csv", catalog="shop")
    assert (again.removed_ids, again.unchanged) == (["desk"], 3)
    assert audit(house.room.database, house.settings.home) == []


@pytest.mark.parametrize("point", ["S1", "S2", "S3", "S4"])
def test_a_scheduler_killed_on_the_way_loses_no_run_and_doubles_none(
    house: House, point: str
) -> None:
    feed(house, "2027-10-31")
    house.apply(NIGHT - timedelta(hours=1), 'source = { manifest = "{date}.csv" }')
    house.tell(NIGHT)
    dying = house.schedule(crash=point)
    if point == "S1":
        assert dying.wait(FAR) == -signal.SIGKILL
    else:
        house.until(lambda: "killed at" in (house.folder / "scheduler-0.log").read_text())
        dying.kill()
        dying.wait()

    house.schedule()

    (run,) = house.until_states(RunState.SUBMITTED)
    assert run.job is not None
    assert run.job.total == 3
    assert len(house.room.jobs()) == 1
    assert audit(house.room.database, house.settings.home) == []


def test_a_run_above_max_cost_is_held_whole_and_told_how_to_go_on(house: House) -> None:
    feed(house, "2027-10-31", 40)
    house.apply(
        NIGHT - timedelta(hours=1),
        'max_cost = "0.10"\nsource = { manifest = "{date}.csv" }',
    )
    house.schedule()

    house.tell(NIGHT)

    (seen,) = house.until_states(RunState.SUBMITTED)
    assert seen.job is not None
    assert (seen.job.held, seen.job.total, seen.job.needs_approval) == (40, 40, True)
    assert "above max_cost $0.10" in str(seen.run.reason)
    assert f"darkroom job approve {seen.job.id}" in str(seen.run.reason)


def test_sources_that_fail_are_failed_runs_with_a_reason_and_pause_the_schedule(
    house: House,
) -> None:
    (house.folder / "feed_of_nights.py").write_text(
        "def rows(day):\n"
        "    if day.day == 31:\n        raise RuntimeError('the feed is down')\n"
        "    if day.day == 1:\n        return []\n"
        "    raise SystemExit(3)\n"
    )
    house.apply(
        NIGHT - timedelta(hours=1),
        'pause_after_failures = 2\nsource = { python = "feed_of_nights:rows" }',
    )
    house.schedule()

    house.tell(NIGHT)
    (raised,) = house.until_states(RunState.FAILED)
    house.tell(NIGHT + DAY + timedelta(hours=1))
    empty, _ = house.until_states(RunState.FAILED, RunState.FAILED)

    assert "raised RuntimeError: the feed is down, line 3" in str(raised.run.reason)
    assert "There are no rows" in str(empty.run.reason)
    assert house.desk.one("n").pause_reason == "2 runs failed in a row"


def test_a_scheduler_that_was_away_runs_the_last_night_of_its_window_only(house: House) -> None:
    feed(house, "2027-11-02")
    house.apply(NIGHT - timedelta(hours=1), 'source = { manifest = "{date}.csv" }')
    house.tell(NIGHT + 2 * DAY + timedelta(hours=3))

    house.schedule()

    seen = house.until_states(RunState.SUBMITTED, RunState.MISSED, RunState.MISSED)
    assert seen[0].run.local_date == "2027-11-02"
    assert "no scheduler ticked" in str(seen[1].run.reason)


def test_a_deadline_moves_what_is_not_made_to_another_tier_or_stops_it(house: House) -> None:
    feed(house, "2027-10-31")
    house.apply(
        NIGHT - timedelta(hours=1),
        'tier = "simulator-batch"\ndeadline = "07:30"\nsource = { manifest = "{date}.csv" }\n'
        'on_deadline = { action = "move_to", tier = "simulator", max_cost = "20.00" }',
    )
    house.schedule()
    house.tell(NIGHT)
    (seen,) = house.until_states(RunState.SUBMITTED)
    assert seen.job is not None
    job = house.room.job(seen.job.id)
    assert {result.tier for result in job.results()} == {"simulator-batch"}

    house.tell(datetime(2027, 10, 31, 6, 30, tzinfo=UTC))  # 07:30 in winter

    house.until(lambda: {result.tier for result in job.results()} == {"simulator"})
    assert job.state.cap_nusd == 20_000_000_000


def shell(folder: Path, *args: str) -> Ran:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
    return called(folder, kept, *args)


def causes_of_what_is_done(room: Darkroom) -> set[str]:
    runs = [seen.run for seen in Desk(room).runs("hand", 99)]
    return {run.cause for run in runs if run.state is RunState.DONE}


@pytest.mark.timeout(300)
def test_a_schedule_runs_by_hand_and_by_the_minute_and_its_costs_are_listed(
    tmp_path: Path,
) -> None:
    (tmp_path / "schedules").mkdir()
    (tmp_path / "rows.csv").write_text("id,prompt\na,A lamp\nb,A kettle\n")
    (tmp_path / "schedules" / "hand.toml").write_text(
        'name = "hand"\ncron = "* * * * *"\ntimezone = "America/New_York"\ntier = "simulator"\n'
        'source = { manifest = "rows.csv" }\n'
    )
    applied = shell(tmp_path, "schedule", "apply", "--json")
    assert applied.returncode == 0, applied.stderr
    up = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "up"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert shell(tmp_path, "schedule", "run", "hand").returncode == 0
        with Darkroom(Settings(home=tmp_path / ".darkroom")) as room:
            ends = time.monotonic() + 3 * FAR
            while causes_of_what_is_done(room) != {"person", "cron"}:
                assert time.monotonic() < ends, Desk(room).runs("hand", 99)
                time.sleep(0.2)
        shown = shell(tmp_path, "schedule", "show", "hand", "--json")
    finally:
        up.terminate()
        up.wait(60)

    done = {run["cause"]: run for run in json.loads(shown.stdout)["runs"] if run["state"] == "done"}
    assert done.keys() == {"person", "cron"}
    jobs = [run["job"] for run in done.values() if run["job"] is not None]
    assert [(job["done"], job["simulated"]) for job in jobs] == [(2, True)]
    assert json.loads(applied.stdout)[0]["next"]["local"].startswith("20")
