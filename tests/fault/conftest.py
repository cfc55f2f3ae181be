"""Fixtures of the fault tests: short folders for sockets, a broker to hurt, a seed."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fault.rig import seed as seeds
from tests.fault.rig.fleet import Fleet
from tests.fault.rig.nursery import Nursery
from tests.fault.rig.postgres import WeakPostgreSQL
from tests.fault.rig.valkey import Valkey

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def seed() -> int:
    return seeds.seed()


@pytest.fixture
def dice(seed: int) -> random.Random:
    """Picks moments and victims."""
    return random.Random(seed)  # noqa: S311  # it guards nothing


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="dkf"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="dkv"))
    server = Valkey(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Valkey:
    """A broker that nobody hurts, empty."""
    shared_valkey.flush()
    return shared_valkey


@pytest.fixture
def weak_valkey(request: pytest.FixtureRequest, sockets: Path) -> Iterator[Valkey]:
    """A broker to be hurt; with `aof` as the parameter it keeps what it was told."""
    server = Valkey(sockets, aof=getattr(request, "param", "") == "aof")
    server.start()
    yield server
    server.process.thaw()
    server.stop()


@pytest.fixture
def weak_postgres(sockets: Path) -> Iterator[WeakPostgreSQL]:
    """A cluster of the test's own, to be crashed."""
    server = WeakPostgreSQL(sockets, is_durable=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def make_fleet(tmp_path: Path, nursery: Nursery) -> Iterator[MakeFleet]:
    """Start fleets in the test's folder; what they said is shown where the test failed."""
    with ExitStack() as stack:

        def make(database_url: str | None, valkey: Valkey, **how: Any) -> Fleet:
            fleet = Fleet(tmp_path / "fleet", database_url, valkey, nursery, **how)
            stack.callback(show_logs, fleet.logs)
            return stack.enter_context(fleet)

        yield make


def show_logs(logs: Path) -> None:
    for log in sorted(logs.glob("*.log")):
        sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-3_000:]}\n")
