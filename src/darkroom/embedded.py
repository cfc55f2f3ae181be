"""The embedded default seen from outside: finds the local stack, or starts one."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from darkroom.configure import hand_down
from darkroom.errors import LocalStackFault
from darkroom.settings import Settings

_LOOK_SECONDS: Final = 0.05
_LOCK_TRIES: Final = 10
READY_SECONDS: Final = 30.0
_LOG_BYTES: Final = 4_000


class Ready(msgspec.Struct, frozen=True):
    """What a running stack tells in `stack.json`."""

    pid: int
    broker_url: str
    simulator_url: str | None


def ensure(settings: Settings, *, with_simulator: bool, workers: int = 1) -> Ready:
    """Find the local stack, or start one in the background that ends when all is done.

    Raises LocalStackFault when it does not come up, with the end of its log.
    """
    running = find(settings.home)
    if running is None:
        running = _spawn(settings, with_simulator=with_simulator, workers=workers)
    if with_simulator and running.simulator_url is None:
        raise LocalStackFault(
            "The local stack that runs here has no simulator.",
            hint="Stop it and start it again: `darkroom up --simulator`.",
        )
    return running


def find(home: Path) -> Ready | None:
    """The stack that runs here; waits for one that is just starting."""
    ends = time.monotonic() + READY_SECONDS
    while not _is_free(home):
        if (ready := _read_ready(home)) is not None:
            return ready
        if time.monotonic() > ends:
            raise LocalStackFault(f"The local stack in {home} does not become ready.")
        time.sleep(_LOOK_SECONDS)
    return None


def _spawn(settings: Settings, *, with_simulator: bool, workers: int) -> Ready:
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "darkroom.stack", "--until-idle", "--detach"]
    command += ["--workers", str(workers), *(["--simulator"] if with_simulator else [])]
    log = logs / "stack.log"
    with log.open("ab") as output:
        subprocess.run(  # noqa: S603  # our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **hand_down(settings)},
            start_new_session=True,  # a Ctrl-C in the terminal must not end what just starts
            check=False,
        )
    ready = find(settings.home)
    if ready is None:
        raise LocalStackFault(f"The local stack did not start:\n{_tail(log)}", hint=f"See {logs}.")
    return ready


def stop(home: Path) -> None:
    """Tell a background stack to end, if there is one, and wait for it."""
    ready = _read_ready(home)
    if ready is None or _is_free(home):
        return
    os.kill(ready.pid, signal.SIGTERM)
    while not _is_free(home):
        time.sleep(_LOOK_SECONDS)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the one stack of a home. A process that is forked meanwhile keeps it to its own end."""
    lock = _locked_at_last(home)
    if lock is None:
        raise LocalStackFault(
            f"Another local stack runs in {home}.",
            hint="Use it: `darkroom submit` and `darkroom job watch` find it.",
        )
    try:
        yield
    finally:
        os.close(lock)


def _locked_at_last(home: Path) -> int | None:
    """Lock; somebody who only looks whether it is free holds it for a moment, too."""
    for _ in range(_LOCK_TRIES):
        lock = _locked(home)
        if lock is not None:
            return lock
        time.sleep(_LOOK_SECONDS)
    return None


def _locked(home: Path) -> int | None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / "stack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_free(home: Path) -> bool:
    lock = _locked(home)
    if lock is None:
        return False
    os.close(lock)
    return True


def ready_file(home: Path) -> Path:
    """Where a running stack says how it is reached."""
    return home / "stack.json"


def write(path: Path, ready: Ready) -> None:
    """Say that a stack is ready, all at once."""
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(ready))
    part.replace(path)


def _read_ready(home: Path) -> Ready | None:
    try:
        return msgspec.json.decode(ready_file(home).read_bytes(), type=Ready)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _tail(log: Path) -> str:
    return log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip()
