from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from darkroom import db
from darkroom.errors import DatabaseOutdated
from darkroom.ledger import ALL, Balance
from darkroom.models import Account, AttemptState, Base
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books


def test_the_migrations_make_exactly_the_tables_that_the_models_say(database: Engine) -> None:
    with database.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLite cannot reflect conditions of indexes
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        difference = compare_metadata(context, Base.metadata)

    assert difference == []


def test_a_downgrade_takes_everything_back_and_an_upgrade_brings_it_again(
    database: Engine,
) -> None:
    db.downgrade(database, "base")
    assert inspect(database).get_table_names() == ["alembic_version"]

    db.upgrade(database)
    db.upgrade(database)

    assert db.revision(database) == db.head()


def test_an_old_schema_is_refused_with_the_command_that_mends_it(database: Engine) -> None:
    db.downgrade(database, "base")

    with pytest.raises(DatabaseOutdated) as refused:
        db.require_head(database)

    assert "darkroom db upgrade" in str(refused.value.hint)


def test_money_that_was_sent_before_there_were_accounts_of_days_is_booked_on_them(
    books: Books,
) -> None:
    database = books.database
    job_id = books.submit(3)
    claims = books.take()
    books.end(claims[:1], AttemptState.DELIVERED, charge=7)
    books.end(claims[1:2], AttemptState.LOST)
    books.submit(1, tier=Tier.SIMULATOR)
    books.take(tier=Tier.SIMULATOR)

    db.downgrade(database, "0001")
    db.upgrade(database)

    assert books.balance(ALL) == books.balance(Account.scope_of(job_id)) == Balance(None, 10, 7, 10)
    books.end(claims[2:], AttemptState.DELIVERED, charge=4)
    books.assert_in_order()
