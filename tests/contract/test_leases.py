"""Who may take work, and who is believed to live, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, update

from darkroom import Darkroom, db
from darkroom.broker import Broker
from darkroom.cli import main
from darkroom.configure import hand_down
from darkroom.jobs import leases
from darkroom.jobs.claim import Claim, claim
from darkroom.models import Worker
from darkroom.report import Life, WorkerState, worker_states
from darkroom.settings import Rules, Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.lease import Lease

ROWS: list[dict[str, object]] = [{"id": f"r{n}", "prompt": f"lamp {n}"} for n in range(5)]


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker.start()
    broker.stop()


@pytest.fixture
def settings(database: Engine, tmp_path: Path, broker_url: str) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(home=tmp_path, database_url=url, broker_url=broker_url)


@pytest.fixture(autouse=True)
def renders(settings: Settings) -> None:
    with Darkroom(settings) as room:
        room.submit(ROWS)


def begin(database: Engine, worker_id: str) -> Lease:
    lease = Lease(database, worker_id, 60)
    lease.begin([Tier.SIMULATOR])
    return lease


def run_out(database: Engine, worker_id: str, days: float = 0.001) -> None:
    with db.writing(database) as connection:
        past = db.now(connection) - timedelta(days=days)
        mine = update(Worker).where(Worker.id == worker_id)
        connection.execute(mine.values(lease_until=past, started_at=past))


def take(database: Engine, worker_id: str, want: int = 2) -> list[Claim]:
    return db.transact(database, lambda c: claim(c, Tier.SIMULATOR, want, worker_id))


def lives(database: Engine, *, ended_too: bool = False) -> dict[str, Life]:
    return {each.id: each.life for each in states(database, ended_too=ended_too)}


def states(database: Engine, *, ended_too: bool = False) -> list[WorkerState]:
    with db.reading(database) as connection:
        return worker_states(connection, ended_too=ended_too)


def test_a_worker_whose_lease_ran_out_takes_nothing_until_it_renews(database: Engine) -> None:
    lease = begin(database, "wrk_1")
    run_out(database, "wrk_1")

    assert take(database, "wrk_1") == []
    assert lease.renew()
    assert len(take(database, "wrk_1")) == 2


def test_a_worker_that_nobody_knows_takes_nothing(database: Engine) -> None:
    assert take(database, "wrk_unknown") == []


def test_a_worker_that_was_written_down_as_gone_cannot_renew(database: Engine) -> None:
    lease = begin(database, "wrk_1")
    with db.writing(database) as connection:
        leases.end(connection, "wrk_1")

    assert not lease.renew()
    assert not lease.is_live
    assert take(database, "wrk_1") == []


def test_the_books_tell_who_works_drains_is_silent_and_has_ended(database: Engine) -> None:
    for name in ("wrk_works", "wrk_drains", "wrk_silent", "wrk_ended", "wrk_old"):
        lease = begin(database, name)
        if name == "wrk_drains":
            lease.drain()
            lease.renew()
        if name in ("wrk_ended", "wrk_old"):
            lease.end()
    run_out(database, "wrk_silent")
    run_out(database, "wrk_old", days=3)

    shown, every = lives(database), lives(database, ended_too=True)

    assert shown == {
        "wrk_works": Life.WORKING,
        "wrk_drains": Life.DRAINING,
        "wrk_silent": Life.SILENT,
        "wrk_ended": Life.ENDED,
    }
    assert every == shown | {"wrk_old": Life.ENDED}


def test_what_a_silent_worker_still_holds_is_told_until_it_is_given_up(database: Engine) -> None:
    begin(database, "wrk_1")
    take(database, "wrk_1", 3)
    run_out(database, "wrk_1", days=3)

    (held,) = states(database)
    db.transact(database, lambda c: leases.bury(c, Rules()))

    assert held.holds["simulator"].attempts == 3
    assert states(database) == []


def test_the_command_lists_workers_with_what_they_hold(
    database: Engine, settings: Settings
) -> None:
    begin(database, "wrk_1")
    take(database, "wrk_1", 3)

    def run(*args: str) -> str:
        told = CliRunner().invoke(main, ["worker", "ls", *args], env=hand_down(settings))
        assert told.exit_code == 0, told.stderr
        return told.stdout

    (worker,) = json.loads(run("--json"))
    assert (worker["id"], worker["pid"], worker["life"]) == ("wrk_1", os.getpid(), "working")
    assert worker["holds"]["simulator"]["attempts"] == 3
    assert "3 on simulator for " in run("--all")
