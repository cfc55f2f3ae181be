"""Rows of a user's own database: read only, streamed, in flat memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from darkroom.errors import ConfigInvalid, NotFound

_ENV: Final = "env:"
_PAGE: Final = 1_000
_PATIENCE_SECONDS: Final = 10
_DATE: Final = ":date"


class Database:
    """The user's own. Raises ConfigInvalid for what is none, NotFound for a variable not set."""

    def __init__(self, told: str, folder: Path) -> None:
        self._told = told
        self._engine = _open(_url(told), folder)

    def require(self, query: str) -> None:
        """Have the database read a query without running it. Raises ConfigInvalid."""
        with self._reading() as connection:
            connection.execute(_statement(f"EXPLAIN {query}", date(2026, 1, 1))).close()

    def rows(self, query: str, day: date) -> Iterator[dict[str, str]]:
        """Run a query; `:date` in it is the day of the fire. Raises ConfigInvalid."""
        with self._reading() as connection:
            streamed = connection.execution_options(stream_results=True, yield_per=_PAGE)
            for row in streamed.execute(_statement(query, day)).mappings():
                yield {name: _plain(value) for name, value in row.items()}

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            said = str(error.orig).strip().partition("\n")[0]
            hint = "Mend the query or the database; a schedule may only read."
            raise ConfigInvalid(f"{self._told}: {said}", hint=hint) from error
        finally:
            self._engine.dispose()


def _url(told: str) -> str:
    if not told.startswith(_ENV):
        return told
    name = told.removeprefix(_ENV)
    if not os.environ.get(name):
        raise NotFound(f"{name} is not set.", hint=f"Set {name} where the scheduler runs.")
    return os.environ[name]


def _open(url: str, folder: Path) -> Engine:
    hint = "Write sqlite:///FILE or postgresql://USER@HOST/NAME."
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigInvalid("The schedule's database is no URL.", hint=hint) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = (folder / parsed.database).absolute()
        read_only = f"sqlite:///file:{path}?mode=ro&uri=true"
        return create_engine(read_only, hide_parameters=True, poolclass=NullPool)
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return _postgresql(url)
    raise ConfigInvalid(f"{parsed.drivername} is no database that is read here.", hint=hint)


def _postgresql(url: str) -> Engine:
    _, _, rest = url.partition("://")
    engine = create_engine(
        f"postgresql+psycopg://{rest}",
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"connect_timeout": _PATIENCE_SECONDS},
    )
    event.listen(engine, "connect", _read_only)
    return engine


def _read_only(connection: Any, _record: object) -> None:  # noqa: ANN401  # psycopg's own
    connection.read_only = True


def _statement(query: str, day: date) -> Any:  # noqa: ANN401  # SQLAlchemy's, of two kinds
    statement = text(query)
    asks = _DATE.removeprefix(":") in statement._bindparams  # noqa: SLF001  # it has no other way
    return statement.bindparams(bindparam("date", day.isoformat())) if asks else statement


def _plain(value: object) -> str:
    """What a cell can hold: the text of it; nothing for nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)
