"""Accounts by themselves, without a claim that looks first, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from darkroom import db, ledger
from darkroom.models import Account

if TYPE_CHECKING:
    from tests.contract.conftest import Books


def test_a_reservation_that_does_not_fit_is_refused_by_its_own_update(books: Books) -> None:
    fits, tight = (Account.scope_of(books.submit(1, cap=cap)) for cap in (100, 15))

    with pytest.raises(ledger.CapBroken), db.writing(books.database) as connection:
        ledger.reserve(connection, {fits: 16, tight: 16})

    assert [books.balance(scope).reserved_nusd for scope in (fits, tight)] == [0, 0]
    with db.writing(books.database) as connection:
        ledger.reserve(connection, {fits: 15, tight: 15})
    assert books.balance(tight).room_nusd == 0
