"""One child process of the local stack: started, kept alive, asked to end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from darkroom.errors import LocalStackFault

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.02
_REVIVE_SECONDS: Final = 1.0
_TAIL_BYTES: Final = 2_000


class Child:
    """A process of ours that is started again when it dies without being asked to."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str], logs: Path) -> None:
        self.name = name
        self._command = command
        self._env = env
        self._log = logs / f"{name}.log"
        self._started = 0.0
        self._process = self._start()

    @classmethod
    def start(cls, name: str, command: Sequence[str], env: dict[str, str], logs: Path) -> Child:
        """Start a process whose output goes to `logs/NAME.log`."""
        logs.mkdir(parents=True, exist_ok=True)
        return cls(name, command, env, logs)

    def _start(self) -> subprocess.Popen[bytes]:
        self._started = time.monotonic()
        with self._log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603  # our own modules
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._env},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, another one after each revival."""
        return self._process.pid

    def revive_with(self, *flags: str) -> None:
        """Add what a revived process must be told, because others know it of the first one."""
        self._command = [*self._command, *flags]

    def revive(self) -> None:
        """Start it again if it is gone; not more often than once a second."""
        gone = self._process.poll() is not None
        if gone and time.monotonic() - self._started > _REVIVE_SECONDS:
            _log.warning("a process died and is started again", name=self.name, pid=self.pid)
            self._process = self._start()

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait for a sign of readiness. Raises LocalStackFault with the end of the log."""
        ends = time.monotonic() + seconds
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() > ends:
                tail = self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
                raise LocalStackFault(f"{self.name} did not start:\n{tail}")
            time.sleep(_POLL_SECONDS)

    def ask_to_end(self) -> None:
        """Send TERM."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it when it takes too long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
