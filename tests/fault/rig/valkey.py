"""A Valkey server of the rig's own: killed, frozen, flushed and restarted at will."""

from __future__ import annotations

import time
from pathlib import Path

import redis
from tests.fault.rig.process import Process, command

from darkroom.broker import server


class Valkey:
    """A server on a unix socket in a short folder; the same socket after each restart."""

    def __init__(self, folder: Path, *, aof: bool = False) -> None:
        self._folder = folder
        self._socket = folder / "valkey.sock"
        keep = ("--appendonly", "yes", "--appendfsync", "everysec") if aof else ()
        words = [server(), "--port", "0", "--unixsocket", str(self._socket)]
        words += ["--dir", str(folder), "--save", "", "--maxmemory-policy", "noeviction", *keep]
        self.process = Process("valkey", command(*words), folder)

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self.process.start({})
        ends = time.monotonic() + 15
        while not self._answers():
            assert time.monotonic() < ends, "Valkey does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    def client(self) -> redis.Redis:
        """A connection of its own, for looking and for harm."""
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=2)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def flush(self) -> None:
        """Forget everything."""
        with self.client() as client:
            client.flushall()

    def stop(self) -> None:
        self.process.end(5)
