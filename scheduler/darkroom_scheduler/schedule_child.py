"""The process that does one run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Final

from darkroom.configure import hand_down
from darkroom.schedules.entry import RunEntry
from darkroom.settings import Settings

_TAIL_BYTES: Final = 2_000


class RunChild:
    """One run's process; it dies with this one."""

    def __init__(self, run: RunEntry, who: str, settings: Settings) -> None:
        self.run = run
        self._ends = time.monotonic() + settings.schedule.run_seconds
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process lives
        command = [sys.executable, "-m", "darkroom_scheduler.schedule_run"]
        command += ["--run", run.id, "--who", who, "--parent-pid", str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=self._said,
            env={**os.environ, **hand_down(settings)},
        )

    def is_over(self) -> bool:
        """Whether it ended."""
        return self._process.poll() is not None

    def is_late(self) -> bool:
        """Whether it takes longer than a run may."""
        return time.monotonic() > self._ends

    def end(self) -> str:
        """End it if it has not ended; gives the last thing that it said."""
        self._process.kill()
        self._process.wait()
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _TAIL_BYTES))
        tail = self._said.read().decode(errors="replace")
        self._said.close()
        if tail:
            sys.stderr.write(tail)
        return (tail.strip().splitlines() or [""])[-1]
