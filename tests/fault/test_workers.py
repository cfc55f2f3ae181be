"""Workers that are stopped for long, are slow, or know a wrong time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.process import Process, an_hour_ahead
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine
from tests.fleet.postgresql import PostgreSQL

from darkroom import db, pacific
from darkroom.models import Attempt, AttemptState
from darkroom.report import JobState

MakeFleet = Callable[..., Fleet]


def test_a_worker_stopped_past_its_lease_loses_by_its_fence_and_its_bytes_are_kept(
    make_fleet: MakeFleet, database_url: str, valkey: Valkey
) -> None:
    fleet = make_fleet(database_url, valkey, simulator=("--latency", "1.0"))
    job = fleet.submit(rows(24))
    zombies: list[Process] = []
    steps = ["stop", "bury", "wake"]

    def tick(state: JobState) -> None:
        match steps:
            case ["stop", *_] if state.done > 0:
                zombies.extend(frozen(fleet))
                done = bool(zombies)
            case ["bury", _]:
                done = lease_is_over(fleet, zombies[0].pid)
                if done:
                    fleet.clocks[0].kill()  # one that starts looks for the dead at once
            case ["wake"]:
                done = state.at_risk_nusd > 0
                if done:
                    zombies[0].thaw()
            case _:
                done = False
        if done:
            del steps[0]

    fleet.watch(job, 60, tick)
    verdict = examine(fleet)

    assert steps == []
    assert verdict.violations == ()
    assert verdict.images == 24
    assert verdict.paid_twice <= verdict.lost <= 4
    assert kept_aside(fleet) == verdict.paid_twice


def frozen(fleet: Fleet) -> list[Process]:
    """Stop one worker that has work, but not inside a transaction: SQLite would stop for all."""
    for worker in fleet.workers:
        if in_flight(fleet, worker.pid):
            worker.freeze()
            if not are_locked(fleet):
                return [worker]
            worker.thaw()
    return []


def in_flight(fleet: Fleet, pid: int) -> int:
    """How many attempts a worker has open."""
    query = """SELECT COUNT(*) AS n FROM attempts a JOIN workers w ON w.id = a.worker_id
        WHERE a.state = 'sent' AND w.pid = :pid"""
    with db.reading(fleet.room.database) as connection:
        return int(db.rows_of(connection, query, pid=pid)[0]["n"])


def lease_is_over(fleet: Fleet, pid: int) -> bool:
    """Whether a worker is taken for dead, by the database's clock."""
    with db.reading(fleet.room.database) as connection:
        query = "SELECT 1 AS found FROM workers WHERE pid = :pid AND lease_until < :now"
        now = db.now(connection)
        shown = now.replace(tzinfo=None).isoformat(" ") if is_sqlite(fleet) else now
        return bool(db.rows_of(connection, query, pid=pid, now=shown))


def are_locked(fleet: Fleet) -> bool:
    """Whether somebody holds SQLite's books for longer than a transaction takes."""
    if not is_sqlite(fleet):
        return False
    with closing(sqlite3.connect(db.path_of(fleet.room.settings.sql_url), timeout=1)) as books:
        try:
            books.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        books.rollback()
    return False


def is_sqlite(fleet: Fleet) -> bool:
    return fleet.room.database.dialect.name == "sqlite"


def kept_aside(fleet: Fleet) -> int:
    """How many pictures lie in quarantine."""
    return len(list((fleet.folder / "home" / "quarantine").glob("att_*")))


def test_an_answer_slower_than_a_lease_is_not_given_up(
    make_fleet: MakeFleet, valkey: Valkey
) -> None:
    fleet = make_fleet(None, valkey, simulator=("--latency", "5"))
    clocks = list(fleet.clocks)

    def bury_early(_: JobState) -> None:
        if clocks and oldest_in_flight(fleet) > timedelta(seconds=3):
            clocks.pop().kill()  # one that starts looks for the dead at once

    fleet.watch(fleet.submit(rows(8)), 60, bury_early)
    verdict = examine(fleet)

    assert clocks == []
    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (8, 0, 0)
    # One that was given up and adopted when it came is not marked lost any more.
    assert not fleet.said("answers of dead workers are lost")


def oldest_in_flight(fleet: Fleet) -> timedelta:
    """How long the oldest open attempt has been open."""
    with db.reading(fleet.room.database) as connection:
        oldest = select(func.min(Attempt.sent_at)).where(Attempt.state == AttemptState.SENT)
        sent_at = connection.scalar(oldest)
        return timedelta() if sent_at is None else db.now(connection) - sent_at


def test_processes_whose_clock_is_an_hour_ahead_take_nothing_from_the_others(
    make_fleet: MakeFleet, postgres: PostgreSQL, valkey: Valkey
) -> None:
    fleet = make_fleet(
        postgres.new_database(), valkey, workers=1, clocks=2, simulator=("--latency", "1.0-2.0")
    )
    fleet.add_worker(an_hour_ahead("darkroom_worker"))
    ahead = [an_hour_ahead("darkroom_scheduler")]

    def join(state: JobState) -> None:
        if ahead and state.done and state.sent:  # it looks for the dead when it starts
            fleet.add_clock(ahead.pop())

    fleet.watch(fleet.submit(rows(60)), 60, join)
    both = workers_with_images(fleet)
    verdict = examine(fleet)

    assert both == 2
    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (60, 0, 0)


@pytest.mark.parametrize(
    ("words", "limits"),
    [("[[sim:429-day]]", {}), ("", {"requests_per_day": 1})],
    ids=["the-provider-s", "our-own"],
)
def test_a_day_ends_at_midnight_pacific_though_a_worker_s_clock_is_an_hour_ahead(
    make_fleet: MakeFleet,
    postgres: PostgreSQL,
    valkey: Valkey,
    words: str,
    limits: dict[str, object],
) -> None:
    own = {"simulator": {"concurrency": 1, **limits}}
    fleet = make_fleet(postgres.new_database(), valkey, workers=0, tiers=own)
    fleet.add_worker(an_hour_ahead("darkroom_worker"))

    ends = time.monotonic() + 60
    fleet.submit(rows(2, words))
    while not (found := fleet.room.rests()):
        assert time.monotonic() < ends, "nothing rests"
        fleet.revive()
        time.sleep(0.05)
    (rest,) = found

    assert rest.until is not None
    late = rest.until - pacific.day_of(rest.since).ends
    assert timedelta() <= late < timedelta(minutes=1)


def workers_with_images(fleet: Fleet) -> int:
    query = "SELECT COUNT(DISTINCT worker_id) AS n FROM attempts WHERE state = 'delivered'"
    with db.reading(fleet.room.database) as connection:
        return int(db.rows_of(connection, query)[0]["n"])
