"""Engines, transactions and the schema's version, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, Row, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from darkroom.errors import ConfigInvalid, DarkroomError, DatabaseOutdated

T = TypeVar("T")

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of a query whose columns are read by name."""

_NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"}
)
_DRIVERS: Final = frozenset({"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"})
_BUSY_SECONDS: Final = 30
_MIGRATING: Final = 0x6461726B
_DEADLOCK_TRIES: Final = 5
_FROZEN_SECONDS: Final = 300  # a process that is stopped inside a transaction holds up the others
_PSYCOPG: Final = {
    # A statement that was prepared while `renders` was small keeps reading all of it when it has
    # grown to millions; and a pooler before PostgreSQL may not know statements of another session.
    "prepare_threshold": None,
    # A server that is gone without a word is noticed in a minute: leases are renewed through it.
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_VICTIM_STATES: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock


def open_engine(url: str) -> Engine:
    """Open a database. Raises ConfigInvalid for one that is not known, or would break."""
    parsed = _known(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(
            url, pool_pre_ping=True, pool_size=8, hide_parameters=True, connect_args=_PSYCOPG
        )
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    if parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_network_file_system(path.parent)
    # A failing statement's parameters are prompts, and its error goes to logs and terminals.
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _known(url: str) -> URL:
    """Read a URL. SQLite would corrupt itself in some places; others are no database of ours."""
    hint = "Write postgresql+psycopg://USER@HOST/NAME, or leave database_url out for SQLite."
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigInvalid("database_url is not the URL of a database.", hint=hint) from error
    if parsed.drivername not in _DRIVERS:
        said = f"database_url names {parsed.drivername}, which is not supported."
        raise ConfigInvalid(said, hint=hint)
    return parsed


def _prepare_postgresql(connection: Any, _record: object) -> None:  # noqa: ANN401  # psycopg's own
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = {_FROZEN_SECONDS * 1000}")
    connection.autocommit = False


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a lost commit of `sent` would be paid twice
    cursor.execute("PRAGMA foreign_keys = ON")
    # The log keeps the size that it once had: a large import would leave hundreds of megabytes.
    cursor.execute(f"PRAGMA journal_size_limit = {8 << 20}")
    cursor.execute("PRAGMA cache_size = -65536")  # KiB
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads before it writes fails at once with "database is locked",
    # whatever the timeout; an immediate one waits for its turn.
    reads = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, waits for no writer, and sees one moment throughout."""
    options: dict[str, Any] = {"reads_only": True}
    if engine.dialect.name == "postgresql":  # else each statement would see another moment
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that commits at its end, or rolls back when an error leaves it."""
    with engine.begin() as connection:
        yield connection


def transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in a writing transaction; again, whole, when PostgreSQL chose it as a victim."""
    for tries_left in reversed(range(_DEADLOCK_TRIES)):
        try:
            with writing(engine) as connection:
                return work(connection)
        except OperationalError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state not in _VICTIM_STATES or not tries_left:
                raise
    raise AssertionError("the loop returns or raises")


def now(connection: Connection) -> datetime:
    """Ask the database for the time: leases of machines with other clocks must agree."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)  # it runs in this process, and tells milliseconds only
    stamp: datetime = connection.scalar(text("SELECT clock_timestamp()")) or datetime.now(UTC)
    return stamp.astimezone(UTC)


def read_in_utc(connection: Connection) -> None:
    """Have times written as text in UTC, as SQLite keeps them, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))


def insert_of(connection: Connection, table: Any) -> Any:  # noqa: ANN401  # two dialects, one interface
    """An INSERT that knows ON CONFLICT, in this database's own dialect."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _refuse_network_file_system(folder: Path) -> None:
    kind = _file_system(folder.resolve())
    if kind in _NETWORK_FILE_SYSTEMS:
        raise ConfigInvalid(
            f"{folder} is on a network file system ({kind}), where SQLite loses data.",
            hint="Set DARKROOM_HOME to a local disk, or DARKROOM_DATABASE_URL to PostgreSQL.",
        )


def is_on_network(folder: Path) -> bool:
    """Whether a folder lies on a network mount, as far as the system tells."""
    return _file_system(folder.resolve()) in _NETWORK_FILE_SYSTEMS


def _file_system(folder: Path) -> str:
    """Find what a folder is mounted as; empty where the system does not tell."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, name, *_ = line.split(" ")
        inside = folder == Path(point) or Path(point) in folder.parents
        if inside and len(point) >= len(best):
            best, kind = point, name
    return kind


def _alembic() -> Config:
    shipped = Path(__file__).parent / "migrations"
    checkout = Path(__file__).parents[2] / "migrations"
    config = Config()
    config.set_main_option("script_location", str(shipped if shipped.is_dir() else checkout))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to a revision. Two at once: the second waits and finds nothing to do."""
    config = _alembic()
    with _one_migrator(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision, or to "base"."""
    config = _alembic()
    with _one_migrator(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


@contextmanager
def _one_migrator(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:  # on SQLite this waits for the other's commit
        take_turns(connection, _MIGRATING)
        yield connection


def take_turns(connection: Connection, key: int) -> None:
    """Wait for others that hold this key, and hold it until the transaction ends.

    On SQLite a writing transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def revision(engine: Engine) -> str | None:
    """The schema's revision; None for a database without one."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The revision that this version of the code writes."""
    found = ScriptDirectory.from_config(_alembic()).get_current_head()
    if found is None:
        raise DatabaseOutdated("No migrations were found beside the code.")
    return found


def require_head(engine: Engine) -> None:
    """Raise DatabaseOutdated unless the schema is the one that this code writes.

    A server that cannot be reached is a DarkroomError too: processes ask this when they start.
    """
    try:
        have, want = revision(engine), head()
    except OperationalError as error:
        raise unusable(error) from error
    if have != want:
        raise DatabaseOutdated(
            f"The database is at revision {have or 'none'}; this version needs {want}.",
            hint="Run `darkroom db upgrade`.",
        )


def unusable(error: DBAPIError) -> DarkroomError:
    """Say in one line why the database cannot be used."""
    said = str(error.orig).strip().partition("\n")[0]
    return DarkroomError(
        f"The database cannot be used: {said.removesuffix('.')}.",
        hint="`darkroom doctor` looks into it.",
    )


def shown(url: str) -> str:
    """Show a database URL without its password."""
    return _known(url).render_as_string(hide_password=True)


def path_of(url: str) -> str:
    """Where the database is: a file for SQLite, else the URL without its password.

    Raises ConfigInvalid as `open_engine` does.
    """
    parsed = _known(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return os.path.abspath(str(parsed.database)) if is_file else shown(url)  # noqa: PTH100


def rows_of(connection: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
    """Run one query that changes nothing and give its rows as plain dictionaries."""
    return [dict(row) for row in connection.execute(text(sql), values).mappings()]
