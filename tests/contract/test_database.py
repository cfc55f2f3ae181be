"""What transactions promise, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Engine, func, select, text

from darkroom import db, ledger
from darkroom.models import Account


class PostgreSQL(Protocol):
    def new_database(self) -> str: ...


def test_a_reader_sees_one_moment_while_others_write(database: Engine) -> None:
    how_many = select(func.count()).select_from(Account)
    with db.reading(database) as reader:
        before = reader.scalar(how_many)
        with db.writing(database) as writer:
            ledger.open_account(writer, "job:x", None)

        after = reader.scalar(how_many)

    assert before == after
    with db.reading(database) as reader:
        assert reader.scalar(how_many) == (before or 0) + 1


def test_a_process_that_stops_inside_a_transaction_holds_nothing_up_for_ever(
    postgres: PostgreSQL,
) -> None:
    engine = db.open_engine(postgres.new_database())

    with db.reading(engine) as connection:
        limit = connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
    engine.dispose()

    assert limit == "5min"
