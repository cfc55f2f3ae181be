"""A query on a database of the user's own, on both kinds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from darkroom.errors import ConfigInvalid
from darkroom.schedules.query import Database

DAY = date(2026, 11, 26)


@pytest.fixture
def own(database: Engine, database_url: str) -> Database:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE products (sku TEXT, price NUMERIC(9, 2), live INT)"))
        rows = [{"sku": f"K{number}", "price": number, "live": number % 2} for number in range(5)]
        connection.execute(text("INSERT INTO products VALUES (:sku, :price, :live)"), rows)
    return Database(database_url.replace("postgresql+psycopg://", "postgresql://"), Path("/"))


def test_rows_are_cells_of_a_manifest_and_the_day_can_be_asked_for(own: Database) -> None:
    query = "select sku, live, :date as day, null as blank from products where live = 1 order by 1"

    found = list(own.rows(query, DAY))

    assert found == [
        {"sku": sku, "live": "1", "day": "2026-11-26", "blank": ""} for sku in ("K1", "K3")
    ]


def test_a_statement_that_writes_changes_nothing_and_is_an_error(own: Database) -> None:
    with pytest.raises(ConfigInvalid, match=r"read-?only|delete"):
        list(own.rows("delete from products returning sku", DAY))

    assert len(list(own.rows("select sku from products", DAY))) == 5


def test_a_query_is_tried_without_being_run(own: Database) -> None:
    own.require("select sku from products")

    with pytest.raises(ConfigInvalid, match="colour"):
        own.require("select colour from products")
