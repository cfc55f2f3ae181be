"""PostgreSQL, Valkey, simulator, workers and clock as separate processes, started and ended."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import func, select
from tests.fleet.postgresql import PostgreSQL
from tests.fleet.valkey import Valkey

from darkroom import db
from darkroom.configure import load
from darkroom.models import Worker
from darkroom.processes import die_with
from darkroom_simulator.child import awaited

BUCKET: Final = "images"
COMMAND: Final = (sys.executable, "-m", "darkroom")
_AMBIENT: Final = ("DARKROOM_", "GOOGLE_", "GEMINI_")
_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_PORTS: Final = range(10_000, 29_000)  # below those that Linux deals out: 32768 to 60999

Process = subprocess.Popen[bytes]
Tell = Callable[[str], None]


class Fleet:
    """A running fleet. `env` holds the three URLs that everybody is given; `endings` exit codes."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = dict(env)
        self.workers: dict[str, Process] = {}
        self.endings: dict[str, int] = {}

    @property
    def bucket(self) -> Path:
        """Where the simulator keeps the images: a file of facts beside each."""
        return self.folder / "buckets" / BUCKET

    def call(
        self, *args: str, host: str = "operator", capture: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the three URLs, from the home of a host."""
        return subprocess.run(
            [*COMMAND, *args],
            cwd=self.folder,
            env=self.env_of(host),
            check=False,
            text=True,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.PIPE if capture else None,
        )

    def env_of(self, host: str) -> dict[str, str]:
        """Give each host a home of its own, as machines have."""
        return {**self.env, "DARKROOM_HOME": str(self.folder / host)}

    def start(self, host: str, *args: str) -> Process:
        """Start a process that keeps running; what it says goes to `logs/HOST.log`."""
        parent = os.getpid()
        log = self.folder / "logs" / f"{host}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                [*COMMAND, *args],
                cwd=self.folder,
                env=self.env_of(host),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C must not reach it: it is told to end in turn
                preexec_fn=lambda: die_with(parent, signal.SIGTERM),  # noqa: PLW1509  # no threads
            )

    def living(self) -> int:
        """How many workers the books call alive."""
        engine = db.open_engine(load({}, self.env, self.folder).settings.sql_url)
        query = select(func.count()).where(Worker.lease_until > func.now())
        with db.reading(engine) as connection:
            found = connection.scalar(query) or 0
        engine.dispose()
        return found

    def wait_for_workers(self) -> None:
        """Wait until every worker is in the books and hears the bell, and the clock ticks."""
        ends = time.monotonic() + _READY_SECONDS
        while self.living() < len(self.workers) or not self._is_up():
            for host, worker in self.workers.items():
                assert worker.poll() is None, f"{host} ended at once; see {self.folder}/logs"
            assert time.monotonic() < ends, f"the workers do not start; see {self.folder}/logs"
            time.sleep(_LOOK_SECONDS)

    def _is_up(self) -> bool:
        hear = all(self._said(host, "the worker hears the bell") for host in self.workers)
        return hear and self._said("scheduler", "the clock ticks")

    def _said(self, host: str, words: str) -> bool:
        return words in (self.folder / "logs" / f"{host}.log").read_text()


@contextmanager
def fleet(
    folder: Path, *, workers: int, latency: str, tell: Tell = lambda _: None
) -> Iterator[Fleet]:
    """Start everything, in production's order; at the end, or at an error, end it in turn."""
    with ExitStack() as stack:
        database = _postgresql(folder, stack)
        tell("postgresql  up, on loopback, with a password")
        broker = _valkey(folder, stack)
        tell("valkey      up, with a password and an append-only file")
        made = Fleet(folder, _environment(database, broker))
        simulator = _simulator(made, latency, stack)
        made.env["DARKROOM_SIMULATOR__BASE_URL"] = simulator
        made.env["STORAGE_EMULATOR_HOST"] = simulator
        tell("simulator   up, instead of Google's models and its Cloud Storage")
        _migrate(made)
        tell("migrate     done")
        stack.callback(_end, made, tell)
        for number in range(1, workers + 1):
            made.workers[f"worker-{number}"] = made.start(f"worker-{number}", "worker", "start")
        scheduler = made.start("scheduler", "scheduler", "start")
        stack.callback(_ended, scheduler)
        made.wait_for_workers()
        tell(f"workers     {workers} up, each with a home of its own; and the scheduler")
        yield made


def _postgresql(folder: Path, stack: ExitStack) -> str:
    place = folder / "postgresql"
    place.mkdir()
    server = PostgreSQL(place, port=free_port(), password=secrets.token_hex(16), is_durable=True)
    stack.callback(server.stop)
    server.start()
    return server.create("darkroom")


def _valkey(folder: Path, stack: ExitStack) -> str:
    place = folder / "valkey"
    place.mkdir()
    server = Valkey(place, port=free_port(), password=secrets.token_hex(16))
    stack.callback(server.stop)
    server.start()
    return server.url


def _simulator(made: Fleet, latency: str, stack: ExitStack) -> str:
    ready = made.folder / "simulator.json"
    made.bucket.mkdir(parents=True)
    flags = ["--latency", latency, "--pictures", "cached", "--body-bytes", "100000"]
    flags += ["--buckets", str(made.bucket.parent)]
    flags += ["--ledger", str(made.folder / "bill.jsonl"), "--ready-file", str(ready)]
    process = made.start("simulator", "simulator", *flags)
    stack.callback(_ended, process)
    return awaited(ready, process).url


def _environment(database: str, broker: str) -> dict[str, str]:
    kept = {name: v for name, v in os.environ.items() if not name.startswith(_AMBIENT)}
    return {
        **kept,
        "NO_GCE_CHECK": "true",
        "DARKROOM_DATABASE_URL": database,
        "DARKROOM_BROKER_URL": broker,
        "DARKROOM_STORAGE_URL": f"gs://{BUCKET}/renders",
        "DARKROOM_WORKER__GRACE_SECONDS": "20",
        "DARKROOM_TIERS__SIMULATOR__CONCURRENCY": "4",
    }


def _migrate(made: Fleet) -> None:
    ran = made.call("db", "upgrade", capture=True)
    assert ran.returncode == 0, ran.stderr


def _end(made: Fleet, tell: Tell) -> None:
    """Ask all workers at once, then wait for each: they bring home what is in flight."""
    for worker in made.workers.values():
        worker.terminate()
    made.endings = {host: worker.wait(60) for host, worker in made.workers.items()}
    if any(made.endings.values()):
        tell(f"workers ended with {made.endings}")


def _ended(process: Process) -> None:
    process.terminate()
    process.wait(60)


def free_port() -> int:
    """Choose a port that nobody has, and that the kernel gives to nobody.

    A server that is to be reached again after an outage needs one: of the ports that connections
    begin from, one that is free for a moment may be somebody else's in the next.
    """
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = secrets.choice(_PORTS)
            probe.bind(("127.0.0.1", port))
            return port
