"""The local stack: broker, simulator, workers and clock as children of one supervising process.

`python -m darkroom.stack` is that process; `darkroom up` runs it in the foreground, `darkroom run`
starts it in the background and lets it end when nothing is left to do.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db, logs
from darkroom.broker import Broker
from darkroom.child import Child
from darkroom.configure import hand_down, load
from darkroom.embedded import READY_SECONDS, Ready, alone, ready_file, write
from darkroom.errors import DarkroomError, LocalStackFault
from darkroom.idle import is_idle
from darkroom.jobs import rests
from darkroom.settings import Settings
from darkroom.stand_in import simulator_file, simulator_url

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.25
_PARTING_SECONDS: Final = 2.0  # a child ends itself when its grace period is over
_IDLE_LOOKS: Final = 6  # times in a row that nothing was left to do


class Stack:
    """The supervisor. `run` returns when it was told to stop, or has nothing left to do."""

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int,
        with_simulator: bool,
        until_idle: bool,
        ready: Callable[[Ready], None],
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._with_simulator = with_simulator
        self._until_idle = until_idle
        self._tell_ready = ready
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End `run`: workers bring home what is in flight, then all goes down."""
        self._stopped.set()

    def run(self) -> None:
        """Start everything, watch over it, take it down; under `alone`. Raises LocalStackFault."""
        broker = Broker(self._settings.home)
        children: list[Child] = []
        try:
            ready = self._start(broker, children)
            write(ready_file(self._settings.home), ready)
            self._tell_ready(ready)
            self._watch(broker, children)
        finally:
            # Workers first: they need the others to bring answers home.
            for group in (children[: self._workers], children[self._workers :]):
                for child in group:
                    child.ask_to_end()
                for child in group:
                    child.wait(self._settings.worker.grace_seconds + _PARTING_SECONDS)
            broker.stop()
            ready_file(self._settings.home).unlink(missing_ok=True)

    def _start(self, broker: Broker, children: list[Child]) -> Ready:
        self._wake_tiers()
        broker_url = broker.start()
        env = hand_down(self._settings.model_copy(update={"broker_url": broker_url}))
        names = [f"worker-{number}" for number in range(1, self._workers + 1)]
        simulator = self._start_simulator()
        children += [self._child(name, "darkroom_worker", env) for name in names]
        if simulator is not None:
            children.append(simulator)
            simulator.wait_until(simulator_file(self._settings.home).exists, READY_SECONDS)
            port = urlsplit(simulator_url(self._settings) or "").port
            simulator.revive_with("--port", str(port))  # workers keep the URL that they found
        # The clock comes last: it rings, and whoever hears it looks for the simulator at once.
        children.append(self._child("scheduler", "darkroom_scheduler", env))
        return Ready(os.getpid(), broker_url, simulator_url(self._settings))

    def _wake_tiers(self) -> None:
        """Somebody starts us: what stopped a tier until a person acts may be mended by now."""
        database = db.open_engine(self._settings.sql_url)
        db.require_head(database)
        with db.writing(database) as connection:
            rests.wake_all(connection)
        database.dispose()

    def _child(self, name: str, module: str, env: dict[str, str]) -> Child:
        command = [sys.executable, "-m", module, "--parent-pid", str(os.getpid())]
        return Child.start(name, command, env, self._settings.home / "logs")

    def _start_simulator(self) -> Child | None:
        """Start it beside the workers, which look for its file when they first need it."""
        home, own = self._settings.home, self._settings.simulator
        told = simulator_file(home)
        told.unlink(missing_ok=True)
        if not self._with_simulator or own.base_url is not None:
            return None
        flags = ["--port", "0", "--ready-file", str(told), "--parent-pid", str(os.getpid())]
        flags += ["--latency", own.latency, "--pictures", own.pictures]
        flags += ["--ledger", str(home / "simulator-ledger.jsonl")]
        flags += ["--scenario", str(own.scenario)] if own.scenario else []
        flags += ["--quota-rpm", str(own.quota_rpm)] if own.quota_rpm else []
        command = [sys.executable, "-m", "darkroom_simulator", *flags]
        return Child.start("simulator", command, {}, home / "logs")

    def _watch(self, broker: Broker, children: Sequence[Child]) -> None:
        database = db.open_engine(self._settings.sql_url)
        idle_looks = 0
        while not self._stopped.wait(_LOOK_SECONDS):
            if not broker.is_alive():  # whoever waits for a job starts another stack
                raise LocalStackFault("The broker died.", hint="See logs/valkey.log.")
            for child in children:
                child.revive()
            if self._until_idle:
                idle_looks = idle_looks + 1 if _nothing_left(database) else 0
                if idle_looks >= _IDLE_LOOKS:
                    return


def _nothing_left(database: Engine) -> bool:
    try:
        with db.reading(database) as connection:
            return is_idle(connection)
    except DBAPIError:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Supervise until TERM or INT, or until nothing is left to do."""
    parser = argparse.ArgumentParser(prog="darkroom up")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--simulator", action="store_true")
    parser.add_argument("--until-idle", action="store_true")
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    args = parser.parse_args(argv)
    try:
        settings = load().settings
        logs.configure(settings, "stack")
        stack = Stack(
            settings,
            workers=args.workers,
            with_simulator=args.simulator,
            until_idle=args.until_idle,
            ready=lambda ready: _log.info(
                "the local stack is ready", simulator=ready.simulator_url
            ),
        )
        with alone(settings.home):
            if args.detach and _went_to_background():
                return 0
            for ending in (signal.SIGTERM, signal.SIGINT):
                signal.signal(ending, lambda *_: stack.stop())
            stack.run()
    except DarkroomError as error:
        sys.stderr.write(f"{error.message} {error.hint or ''}\n")
        return int(error.exit_code)
    return 0


def _went_to_background() -> bool:
    """Fork; True in the parent, which may leave: the child holds the lock by inheritance.

    Ctrl-C in the terminal detaches and must not reach the child, so it gets a session of its own.
    """
    if os.fork():
        return True
    os.setsid()
    return False


if __name__ == "__main__":
    raise SystemExit(main())
