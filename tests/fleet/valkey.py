"""A Valkey or Redis server as production has it: a port, a password, an append-only file."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from darkroom.broker import server

_READY_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.02
FLAGS: Final = (
    *("--appendonly", "yes", "--appendfsync", "everysec"),
    *("--maxmemory-policy", "noeviction", "--save", ""),
)
ACCOUNT: Final = "user darkroom on >{password} ~darkroom:* resetchannels +@all -@admin -@dangerous"
"""All that we need of a server that others use too; docs/how-to/deploy.md gives the same."""


class Valkey:
    """A server on loopback. The password comes by stdin, so that no process list shows it."""

    def __init__(self, folder: Path, *, port: int, password: str) -> None:
        self._folder = folder
        self.port = port
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, with the password."""
        return f"redis://darkroom:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [server(), "-", "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self._folder), *FLAGS]
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not reach it before its clients
            )
        assert self._process.stdin is not None
        account = ACCOUNT.format(password=self._password)
        self._process.stdin.write(f"user default off\n{account}\n".encode())
        self._process.stdin.close()
        self._wait()

    def _wait(self) -> None:
        ends = time.monotonic() + _READY_SECONDS
        client = redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0))
        while True:
            try:
                client.ping()
            except (redis.ConnectionError, OSError):
                assert self._process is not None
                assert self._process.poll() is None, "Valkey ended at once"
                assert time.monotonic() < ends, "Valkey does not answer"
                time.sleep(_LOOK_SECONDS)
            else:
                client.close()
                return

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
