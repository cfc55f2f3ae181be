"""A simulator as a child process, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

PATIENCE = 20.0  # seconds a start may take on a loaded machine
LOOK = 0.01


class Ready(msgspec.Struct, frozen=True):
    """What a ready file holds."""

    url: str
    pid: int


@contextlib.contextmanager
def running(*flags: str) -> Iterator[Ready]:
    """Run a simulator on a free port with these flags, and end it with TERM."""
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        ready = Path(folder, "ready.json")
        command = [sys.executable, "-m", "darkroom_simulator", "--ready-file", str(ready)]
        process = subprocess.Popen([*command, "--parent-pid", str(os.getpid()), *flags])  # noqa: S603 - own module
        try:
            yield awaited(ready, process)
        finally:
            process.terminate()
            process.wait()


def awaited(ready: Path, process: subprocess.Popen[bytes]) -> Ready:
    """Read the ready file once it is there; raise RuntimeError if that never happens."""
    deadline = time.monotonic() + PATIENCE
    while not ready.exists():
        if process.poll() is not None:
            raise RuntimeError(f"the simulator ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the simulator was not ready after {PATIENCE:g} s")
        time.sleep(LOOK)
    return msgspec.json.decode(ready.read_bytes(), type=Ready)
