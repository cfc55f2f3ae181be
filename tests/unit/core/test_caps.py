from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from darkroom.ledger import caps_of
from darkroom.settings import Budget

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_a_budget_is_a_cap_to_the_last_nano_dollar() -> None:
    budget = Budget(total=Decimal("8.2"), per_day=Decimal("1.000000001"))

    assert caps_of(budget, NOON) == {"all": 8_200_000_000, "day:2030-01-01": 1_000_000_001}


def test_a_budget_without_an_end_is_no_cap() -> None:
    assert set(caps_of(Budget(total=None, per_day=None), NOON).values()) == {None}
