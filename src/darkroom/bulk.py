"""Many rows in one statement, by the fastest way that each database has.

PostgreSQL takes columns as arrays, or a stream by COPY; a statement a row costs it many times as
much. SQLite is in this process, where one prepared statement, run for each row, is the fastest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    String,
    Table,
    Text,
    Update,
    bindparam,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import TableValuedAlias

from darkroom.models import Base

T = TypeVar("T")

_MANY: Final = 1_000

Values = Mapping[str, Any]
"""One row, by the names of its columns; all rows of a call have the same ones."""


def put(connection: Connection, of: type[Base], rows: Sequence[Values]) -> None:
    """Insert some hundreds of rows."""
    if not rows:
        return
    table, names = _table(of), tuple(rows[0])
    if _has_arrays(connection):
        connection.execute(_insert(table, names), _by_column(names, rows))
    else:
        connection.execute(insert(table), list(rows))


def change(connection: Connection, of: type[Base], rows: Sequence[Values]) -> None:
    """Update some hundreds of rows, each found by its `id`; the other names get new values.

    The caller has locked them: the order in which they are written is the database's own.
    """
    if not rows:
        return
    table, names = _table(of), tuple(rows[0])
    if _has_arrays(connection):
        connection.execute(_update(table, names), _by_column(names, rows))
    else:
        named = [{f"new_{name}": row[name] for name in names} for row in rows]
        connection.execute(_update_one(table, names), named)


def among(
    connection: Connection, column: InstrumentedAttribute[T], values: Collection[T]
) -> ColumnElement[bool]:
    """The condition that a column has one of hundreds of values; a parameter each would be slow."""
    if not _has_arrays(connection):
        is_long = len(values) > _MANY and isinstance(column.type, String)
        return column.in_(select(table_of(connection, values).c.value) if is_long else values)
    kind = ARRAY(Text() if isinstance(column.type, String) else column.type)
    return column == func.any(bindparam(None, list(values), type_=kind, unique=True))


def table_of(connection: Connection, values: Collection[Any]) -> TableValuedAlias:
    """Thousands of texts as a table with one column, `value`."""
    if _has_arrays(connection):
        given = bindparam(None, list(values), type_=ARRAY(Text()), unique=True)
        return func.unnest(given).table_valued("value").render_derived()
    return func.json_each(json.dumps(list(values))).table_valued("value")


def stream(
    connection: Connection, of: type[Base], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert thousands of rows whose values stand in the order of `names`."""
    table = _table(of)
    if not _has_arrays(connection):
        named = [dict(zip(names, row, strict=True)) for row in rows]
        connection.execute(insert(table), named) if named else None
        return
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(map(quote, names))
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {quote(table.name)} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _table(of: type[Base]) -> Table:
    table = of.__table__
    assert isinstance(table, Table), "every class of ours is mapped to a plain table"
    return table


def _has_arrays(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _by_column(names: tuple[str, ...], rows: Sequence[Values]) -> dict[str, list[Any]]:
    return {f"new_{name}": [row[name] for row in rows] for name in names}


@lru_cache(maxsize=64)
def _insert(table: Table, names: tuple[str, ...]) -> Insert:
    given = _given(table, names)
    return insert(table).from_select(list(names), select(*(given.c[name] for name in names)))


@lru_cache(maxsize=64)
def _update(table: Table, names: tuple[str, ...]) -> Update:
    given = _given(table, names)
    values = {name: given.c[name] for name in names if name != "id"}
    return update(table).where(table.c.id == given.c.id).values(values)


@lru_cache(maxsize=64)
def _update_one(table: Table, names: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names if name != "id"}
    return update(table).where(table.c.id == bindparam("new_id")).values(values)


def _given(table: Table, names: tuple[str, ...]) -> TableValuedAlias:
    """The rows as a table made of one array a column."""
    kinds = {name: table.c[name].type for name in names}
    arrays = [
        # A cast to VARCHAR(n) would cut a long text without a word; the column itself refuses it.
        bindparam(f"new_{name}", type_=ARRAY(Text() if isinstance(kind, String) else kind))
        for name, kind in kinds.items()
    ]
    columns = [column(name, kind) for name, kind in kinds.items()]
    rows = func.unnest(*arrays).table_valued(*columns, name="given")
    return rows.render_derived()
