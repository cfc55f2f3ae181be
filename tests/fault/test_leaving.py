"""TERM, TERM TERM, QUIT, a dead broker, a stopped process: workers end well, or are survived."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom.broker import Broker
from darkroom.configure import hand_down
from darkroom.heartbeat import Heartbeat
from darkroom.models import Attempt, AttemptState, Worker
from darkroom.queue import open_queue
from darkroom.settings import Settings
from darkroom_scheduler.clock import Clock
from darkroom_simulator.child import Ready, running

PATIENCE = 40.0


class Fleet:
    """A broker, a simulator and a clock; workers are started and struck by the test."""

    def __init__(
        self, stack: ExitStack, tmp_path: Path, simulator: Ready, database_url: str
    ) -> None:
        self._stack = stack
        self._database_url = database_url
        self._folder = tmp_path
        self.broker = Broker(tmp_path / "broker")
        (tmp_path / "broker").mkdir()
        self.url = self.broker.start()
        stack.callback(self.broker.stop)
        self.simulator = simulator
        self.workers: list[subprocess.Popen[bytes]] = []

    def settings(self, home: str = "home", **worker: float) -> Settings:
        told = {
            "home": self._folder / home,
            "database_url": self._database_url,
            "broker_url": self.url,
            "storage_url": str(self._folder / "out"),
            "simulator": {"base_url": self.simulator.url},
            "tiers": {"simulator": {"concurrency": 8}},
            "worker": {"lease_seconds": 3.0, "grace_seconds": 20.0, **worker},
            "rules": {"backoff_seconds": 0.1},
        }
        return Settings.model_validate(told)

    def room(self) -> Darkroom:
        return self._stack.enter_context(Darkroom(self.settings()))

    def worker(self, home: str = "home", **worker: float) -> subprocess.Popen[bytes]:
        """Start a worker process."""
        env = {**os.environ, **hand_down(self.settings(home, **worker))}
        command = [sys.executable, "-m", "darkroom_worker", "--parent-pid", str(os.getpid())]
        process = subprocess.Popen(command, env=env)
        self._stack.callback(end, process)
        return process

    def clock(self) -> Clock:
        """A clock that is ticked by the test."""
        settings = self.settings()
        database = db.open_engine(settings.sql_url)
        self._stack.callback(database.dispose)
        return Clock(database, open_queue(self.url), settings.rules, Heartbeat(self.url))

    def asked(self) -> int:
        """How many requests have come to the simulator."""
        return len((self._folder / "bill.jsonl").read_bytes().splitlines())

    def kill_broker(self) -> None:
        pid = int((self._folder / "broker/valkey.pid").read_text())
        os.kill(pid, signal.SIGKILL)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


@contextmanager
def fleet_with(tmp_path: Path, latency: str, database_url: str | None = None) -> Iterator[Fleet]:
    with ExitStack() as stack:
        flags = ["--pictures", "cached", "--latency", latency]
        bill = ["--ledger", str(tmp_path / "bill.jsonl")]
        simulator = stack.enter_context(running(*flags, *bill))
        yield Fleet(stack, tmp_path, simulator, database_url or new_books(tmp_path))


def new_books(folder: Path) -> str:
    url = f"sqlite:///{folder / 'books.db'}"
    engine = db.open_engine(url)
    db.upgrade(engine)
    engine.dispose()
    return url


def until(happened: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < ends, f"it never happened: {what}"
        time.sleep(0.02)


def rows(how_many: int) -> list[dict[str, object]]:
    return [{"id": f"r{n}", "prompt": f"lamp {n}"} for n in range(how_many)]


def in_flight(job: Job) -> int:
    return job.state.sent


def wait_for_flight(fleet: Fleet, job: Job, how_many: int) -> None:
    clock = fleet.clock()
    clock.ring()
    until(lambda: in_flight(job) >= how_many, f"{how_many} in flight")
    until(lambda: fleet.asked() >= how_many, f"{how_many} have left")


def finish(fleet: Fleet, job: Job) -> None:
    """Let a fresh worker render the rest, with a clock that rings and sweeps."""
    clock = fleet.clock()
    process = fleet.worker()

    def done() -> bool:
        clock.ring()
        clock.sweep()
        return job.state.is_finished

    until(done, "the job's end")
    process.terminate()
    assert process.wait(PATIENCE) == 0


def assert_honest(room: Darkroom, bill: Path) -> None:
    assert audit(room.database, room.settings.home, deep=True) == []
    lines = [msgspec.json.decode(line) for line in bill.read_bytes().splitlines()]
    billed = sum(line["cost_nusd"] for line in lines)
    total = room.costs().total
    assert total.charged_nusd <= billed <= total.charged_nusd + total.at_risk_nusd
    pictures = Counter(line["prompt_sha256"] for line in lines if line["billed"])
    twice = sum(count - 1 for count in pictures.values())
    lost = ended(room)[AttemptState.LOST]
    assert twice <= lost


def ended(room: Darkroom) -> Counter[str]:
    with db.reading(room.database) as connection:
        counted = select(Attempt.state, func.count()).group_by(Attempt.state)
        return Counter({row[0]: row[1] for row in connection.execute(counted)})


def test_a_worker_that_is_told_to_end_brings_everything_home(tmp_path: Path) -> None:
    with fleet_with(tmp_path, "1.5") as fleet:
        room = fleet.room()
        job = room.submit(rows(40))
        worker = fleet.worker()
        wait_for_flight(fleet, job, 8)

        worker.terminate()
        code = worker.wait(PATIENCE)

        state = job.state
        assert code == 0
        assert state.done >= 8
        assert (state.sent, state.at_risk_nusd) == (0, 0)
        assert state.done + state.pending == 40
        assert_honest(room, tmp_path / "bill.jsonl")


def test_a_draining_worker_says_so_and_takes_nothing_more(tmp_path: Path) -> None:
    with fleet_with(tmp_path, "4") as fleet:
        room = fleet.room()
        job = room.submit(rows(40))
        worker = fleet.worker()
        wait_for_flight(fleet, job, 8)

        worker.terminate()
        until(lambda: draining(room) == 1, "the drain in the books")
        taken = job.state.pending
        fleet.clock().ring()
        code = worker.wait(PATIENCE)

        assert code == 0
        assert job.state.pending == taken


def draining(room: Darkroom) -> int:
    with db.reading(room.database) as connection:
        query = select(func.count()).where(Worker.draining_at.is_not(None))
        return connection.scalar(query) or 0


def test_told_twice_it_gives_up_what_has_not_been_answered_and_books_it_at_once(
    tmp_path: Path,
) -> None:
    with fleet_with(tmp_path, "30") as fleet:
        room = fleet.room()
        job = room.submit(rows(20))
        worker = fleet.worker(hurry_seconds=1.0)
        wait_for_flight(fleet, job, 8)

        worker.terminate()
        until(lambda: draining(room) == 1, "the drain in the books")
        worker.send_signal(signal.SIGINT)
        code = worker.wait(60)

        assert code == 1
        assert job.state.sent == 0
        assert ended(room)[AttemptState.LOST] >= 8
        assert job.cost.total.at_risk_nusd > 0
        assert audit(room.database, room.settings.home, deep=True) == []


def test_the_grace_period_ends_a_worker_whose_answers_do_not_come(tmp_path: Path) -> None:
    with fleet_with(tmp_path, "60") as fleet:
        room = fleet.room()
        job = room.submit(rows(8))
        worker = fleet.worker(grace_seconds=4.0)
        wait_for_flight(fleet, job, 8)

        worker.terminate()
        code = worker.wait(60)

        assert code == 1
        assert (job.state.sent, ended(room)[AttemptState.LOST]) == (0, 8)


def test_answers_that_cannot_be_booked_when_the_grace_period_ends_are_kept_for_the_next(
    tmp_path: Path,
) -> None:
    with fleet_with(tmp_path, "2") as fleet:
        room = fleet.room()
        job = room.submit(rows(8))
        worker = fleet.worker(grace_seconds=6.0)
        wait_for_flight(fleet, job, 8)

        with db.writing(room.database):  # nobody else can write meanwhile
            worker.terminate()
            code = worker.wait(60)
        finish(fleet, job)

        assert code == 1
        assert (job.state.done, job.cost.total.at_risk_nusd) == (8, 0)
        assert_honest(room, tmp_path / "bill.jsonl")


def test_what_waits_for_its_slot_is_given_back_unsent_and_uses_no_attempt(tmp_path: Path) -> None:
    with fleet_with(tmp_path, "0") as fleet:
        room = fleet.room()
        job = room.submit(rows(30))
        slow = fleet.settings().model_copy(deep=True)
        limits = {"simulator": {"concurrency": 8, "requests_per_minute": 60}}
        env = {
            **os.environ,
            **hand_down(Settings.model_validate({**slow.model_dump(), "tiers": limits})),
        }
        worker = subprocess.Popen([sys.executable, "-m", "darkroom_worker"], env=env)
        try:
            fleet.clock().ring()
            until(lambda: job.state.done >= 1 and in_flight(job) >= 1, "one waits for its slot")
            worker.terminate()
            worker.terminate()
            worker.send_signal(signal.SIGINT)
            code = worker.wait(60)
        finally:
            end(worker)

        assert code == 0
        assert job.state.sent == 0
        assert set(ended(room)) <= {AttemptState.DELIVERED, AttemptState.NOT_SENT}
        assert job.cost.total.at_risk_nusd == 0
        finish(fleet, job)
        assert_honest(room, tmp_path / "bill.jsonl")


@pytest.mark.parametrize("take_seconds", [0.5, 60.0])
def test_a_worker_ends_while_its_broker_is_dead(
    tmp_path: Path, dice: random.Random, take_seconds: float
) -> None:
    with fleet_with(tmp_path, "1") as fleet:
        room = fleet.room()
        job = room.submit(rows(40))
        worker = fleet.worker(take_seconds=take_seconds)
        wait_for_flight(fleet, job, 4)

        fleet.kill_broker()
        time.sleep(dice.uniform(0, 2))
        worker.terminate()
        code = worker.wait(60)

        assert code == 0
        assert (job.state.sent, job.state.at_risk_nusd) == (0, 0)


def test_quit_leaves_at_once_and_what_had_come_is_not_paid_again(tmp_path: Path) -> None:
    with fleet_with(tmp_path, "0.2-2") as fleet:
        room = fleet.room()
        job = room.submit(rows(24))
        worker = fleet.worker()
        wait_for_flight(fleet, job, 8)

        worker.send_signal(signal.SIGQUIT)
        code = worker.wait(30)
        finish(fleet, job)

        assert code == 128 + signal.SIGQUIT
        assert job.state.done + job.state.held == 24
        assert_honest(room, tmp_path / "bill.jsonl")


def test_a_worker_that_was_stopped_past_its_lease_loses_by_its_fence_and_goes_on(
    tmp_path: Path, database_url: str, dice: random.Random
) -> None:
    with fleet_with(tmp_path, "1", database_url) as fleet:
        room = fleet.room()
        job = room.submit(rows(30))
        zombie = fleet.worker("home-1")
        wait_for_flight(fleet, job, 8)
        time.sleep(dice.uniform(0, 1))
        until(lambda: is_stopped_alone(zombie, room), "it stops outside of a transaction")
        open_then = in_flight(job)
        other = fleet.worker("home-2")
        clock = fleet.clock()

        def buried() -> bool:
            clock.ring()
            return clock.sweep() > 0 or open_then == 0

        until(buried, "the zombie's attempts are given up")
        until(lambda: workers(room) == 2, "the other one works")
        zombie.send_signal(signal.SIGCONT)

        def done() -> bool:
            clock.ring()
            clock.sweep()
            return job.state.is_finished

        until(done, "the job's end")
        again = room.submit([{"id": "later", "prompt": "after the wake"}])
        other.terminate()
        assert other.wait(PATIENCE) == 0

        def woken() -> bool:
            clock.ring()
            return again.state.is_finished

        until(woken, "the woken worker's render")
        zombie.terminate()

        assert zombie.wait(PATIENCE) == 0
        assert job.state.done + job.state.held == 30
        assert_honest(room, tmp_path / "bill.jsonl")


def is_stopped_alone(process: subprocess.Popen[bytes], room: Darkroom) -> bool:
    """Stop a process, unless it holds SQLite's books just then: they would stop for everybody."""
    process.send_signal(signal.SIGSTOP)
    if room.database.dialect.name != "sqlite":
        return True
    with closing(sqlite3.connect(db.path_of(room.settings.sql_url), timeout=1)) as books:
        try:
            books.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            return False
        books.rollback()
    return True


def workers(room: Darkroom) -> int:
    with db.reading(room.database) as connection:
        return connection.scalar(select(func.count()).select_from(Worker)) or 0


def noted(home: Path) -> int:
    """How many answers are written down in a home's spools."""
    journals = home.glob("spool/*/journal.jsonl")
    return len({line for journal in journals for line in journal.read_bytes().splitlines()})


def test_a_host_that_comes_back_settles_the_answers_that_were_given_up(
    tmp_path: Path, database_url: str
) -> None:
    """Two homes, one database: only the lease tells of a dead host, only its return its spool."""
    with fleet_with(tmp_path, "0", database_url) as fleet:
        room = fleet.room()
        out = tmp_path / "out"
        out.write_text("a file where the folder should be: nothing can be published")
        job = room.submit(rows(6))
        dead = fleet.worker("home-1")
        clock = fleet.clock()
        clock.ring()
        until(lambda: noted(tmp_path / "home-1") == 6, "six answers in the spool")
        dead.kill()
        dead.wait()
        out.unlink()
        until(lambda: clock.sweep() == 6, "the lease of the dead host ran out")

        back = fleet.worker("home-1")
        until(lambda: job.state.done == 6, "the answers are adopted")
        back.terminate()

        assert back.wait(PATIENCE) == 0
        assert job.cost.total.at_risk_nusd == 0
        assert_honest(room, tmp_path / "bill.jsonl")
