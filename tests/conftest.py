"""Servers and databases for the tests: real ones, started here, on sockets of their own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import Engine
from tests.fleet.postgresql import PostgreSQL

from darkroom import Darkroom, db, embedded
from darkroom.ids import new_id
from darkroom.settings import Settings
from darkroom_simulator.child import running

os.environ["NO_GCE_CHECK"] = "true"  # google-auth must not look for a metadata server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    folder = Path(tempfile.mkdtemp(prefix="dkpg"))
    server = PostgreSQL(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty migrated database of SQLite, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "books.db"
    engine = db.open_engine(f"sqlite:///{path}")
    db.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> str:
    """An empty migrated database, of either kind."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgres")
        return server.new_database()
    path = tmp_path / "books.db"
    shutil.copy(migrated, path)
    return f"sqlite:///{path}"


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    engine = db.open_engine(database_url)
    yield engine
    engine.dispose()


class ObjectStorage:
    """Buckets in a simulator, which can be told to go wrong."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    def new_bucket(self) -> str:
        """An empty bucket of its own; its URL."""
        name = new_id("test").replace("_", "-")
        (self._folder / name).mkdir()
        return f"gs://{name}"

    def objects(self, bucket: str) -> list[dict[str, object]]:
        """What lies in a bucket, by the simulator's own files; others may be moving them."""
        found: list[dict[str, object]] = []
        for path in (self._folder / bucket.removeprefix("gs://")).glob("*.json"):
            with suppress(FileNotFoundError):
                found.append(json.loads(path.read_text()))
        return found

    def harm(self, *rules: dict[str, object]) -> None:
        """Let requests go wrong by these rules from now on; none for no harm."""
        body = json.dumps(rules).encode()
        request = Request(f"{self.url}/_sim/storage/rules", body, method="PUT")  # noqa: S310
        urlopen(request, timeout=10).close()  # noqa: S310  # our own simulator

    def answered(self) -> dict[str, int]:
        """How often storage gave which answer, as `create 412`."""
        with urlopen(f"{self.url}/_sim/storage", timeout=10) as reply:  # noqa: S310
            found: dict[str, int] = json.load(reply)
        return found


@pytest.fixture
def object_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    """Object storage where Google's SDK finds it, here and in processes started from here."""
    folder = tmp_path / "buckets"
    folder.mkdir()
    with running("--buckets", str(folder)) as simulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", simulator.url)
        yield ObjectStorage(simulator.url, folder)


Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]


def show_logs(home: Path) -> None:
    """Print what the processes of a room said; the runner shows it where the test failed."""
    for log in sorted((home / "logs").glob("*.log")):
        tail = log.read_text(errors="replace")[-4_000:]
        sys.stdout.write(f"--- {log.name}\n{tail}\n")


def contents(folder: Path) -> dict[Path, bytes]:
    """What lies in a folder, though processes still put files there and take them away."""
    found: dict[Path, bytes] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.read_bytes()
    return found


@pytest.fixture
def open_room(tmp_path: Path) -> Iterator[Open]:
    """Make embedded rooms in the test's folder; their local stacks are stopped at the end."""
    with ExitStack() as stack:

        def make(
            rules: Mapping[str, object] = MappingProxyType({}), **settings: object
        ) -> Darkroom:
            told: dict[str, object] = {
                "home": tmp_path / "home",
                "storage_url": str(tmp_path / "out"),
                "simulator": {"latency": "0", "pictures": "cached"},
                "rules": {"backoff_seconds": 0.1, **rules},
                **settings,
            }
            room = stack.enter_context(Darkroom(Settings.model_validate(told)))
            stack.callback(show_logs, room.settings.home)
            stack.callback(embedded.stop, room.settings.home)
            return room

        yield make


@pytest.fixture
def bill_of() -> Bill:
    """What the simulator says it was asked and billed: the outside witness."""

    def read(room: Darkroom) -> list[dict[str, object]]:
        ledger = room.settings.home / "simulator-ledger.jsonl"
        return [json.loads(line) for line in ledger.read_text().splitlines()]

    return read
