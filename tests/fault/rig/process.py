"""One real process that a test may kill, freeze and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from tests.fault.rig.nursery import Nursery

_LOOK_SECONDS: Final = 0.02
_CLOCK_AHEAD: Final = Path(__file__).parent / "clock_ahead"


class Life(Protocol):
    """A running process, however it was started."""

    pid: int

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        ...


class Process:
    """Something with a log that can be started again. `deaths` counts how often it was killed."""

    def __init__(self, name: str, start: Start, logs: Path) -> None:
        self.name = name
        self.deaths = 0
        self._start = start
        self._log = logs / f"{name}.log"
        self._life: Life | None = None

    def start(self, env: Mapping[str, str]) -> None:
        """Start it, for the first time or again."""
        self._life = self._start(self._log, {**os.environ, **env})

    @property
    def pid(self) -> int:
        assert self._life is not None, f"{self.name} does not run"
        return self._life.pid

    def is_gone(self) -> bool:
        """Whether it has ended; a death is counted once."""
        if self._life is None:
            return True
        code = self._life.poll()
        if code is None:
            return False
        self.deaths += code == -signal.SIGKILL
        self._life = None
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if not self.is_gone():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def end(self, seconds: float = 30) -> None:
        """Ask it to end, and kill it when that takes too long."""
        self.thaw()
        self.send(signal.SIGTERM)
        if not self.wait(seconds):
            self.kill()
            self.wait(seconds)

    def wait(self, seconds: float = 30) -> bool:
        """Wait for its end; False when it still runs."""
        ends = time.monotonic() + seconds
        while not self.is_gone():
            if time.monotonic() > ends:
                return False
            time.sleep(_LOOK_SECONDS)
        return True


class Start(Protocol):
    """A way to start a process."""

    def __call__(self, log: Path, env: Mapping[str, str]) -> Life:
        """Start it with exactly this environment."""
        ...


def command(*words: str) -> Start:
    """Start a process from its command line."""

    def start(log: Path, env: Mapping[str, str]) -> Life:
        with log.open("ab") as output:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(env),
                start_new_session=True,
            )

    return start


def an_hour_ahead(module: str) -> Start:
    """Start one of our own modules with a clock that is wrong."""
    path = os.pathsep.join([str(_CLOCK_AHEAD), os.environ.get("PYTHONPATH", "")])
    words = ["env", f"PYTHONPATH={path}", sys.executable, "-m", module]
    return command(*words, "--parent-pid", str(os.getpid()))


class _Forked:
    """A child of the nursery."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery

    def poll(self) -> int | None:
        return self._nursery.returncode(self.pid)


def forked(nursery: Nursery, module: str) -> Start:
    """Start one of our own modules quickly."""

    def start(log: Path, env: Mapping[str, str]) -> Life:
        return _Forked(nursery, nursery.spawn(module, log, env))

    return start
