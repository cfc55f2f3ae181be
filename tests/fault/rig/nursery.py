"""Starts workers and clocks quickly: a process that has imported them and forks one at each call.

A start costs over a second of imports otherwise, and a run of kill points starts dozens. What the
fork runs is the module's own `main`, with the environment and the log of its own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import darkroom_scheduler.__main__
import darkroom_worker.__main__

_MAINS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "darkroom_worker": darkroom_worker.__main__.main,
    "darkroom_scheduler": darkroom_scheduler.__main__.main,
}


class Nursery:
    """The forking process, seen from the rig. Its children end with it, and it ends with us."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.rig.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )

    def spawn(self, module: str, log: Path, env: Mapping[str, str]) -> int:
        """Fork one process; its id."""
        return int(self._ask(op="spawn", module=module, log=str(log), env=dict(env)))

    def returncode(self, pid: int, *, wait: bool = False) -> int | None:
        """How a child ended, as `Popen.returncode` says it; None while it lives."""
        found = self._ask(op="wait" if wait else "poll", pid=pid)
        return None if found is None else int(found)

    def _ask(self, **told: object) -> Any:  # noqa: ANN401  # JSON
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve() -> None:
    for line in sys.stdin:
        told = json.loads(line)
        match told.pop("op"):
            case "spawn":
                answer: int | None = _fork(**told)
            case "poll":
                answer = _ended(told["pid"], os.WNOHANG)
            case _:
                answer = _ended(told["pid"], 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _ended(pid: int, options: int) -> int | None:
    found, status = os.waitpid(pid, options)
    return os.waitstatus_to_exitcode(status) if found else None


def _fork(module: str, log: str, env: dict[str, str]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _move_out(log, env)
        code = _MAINS[module](["--parent-pid", str(parent)])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # noqa: BLE001  # as the interpreter itself would
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _move_out(log: str, env: dict[str, str]) -> None:
    """Become a process that looks like one that was started by itself."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(env)
    random.seed()


if __name__ == "__main__":
    _serve()
