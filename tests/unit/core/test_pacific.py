"""Google's day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from darkroom.pacific import day_of


@pytest.mark.parametrize(
    ("moment", "name", "hours"),
    [
        (datetime(2026, 11, 24, 7, 59, 59, tzinfo=UTC), "2026-11-23", 24),
        (datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "2026-11-24", 24),
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), "2026-06-30", 24),
        (datetime(2026, 3, 8, 20, 0, tzinfo=UTC), "2026-03-08", 23),
        (datetime(2026, 11, 1, 20, 0, tzinfo=UTC), "2026-11-01", 25),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight_pacific(
    moment: datetime, name: str, hours: int
) -> None:
    day = day_of(moment)

    assert day.name == name
    assert day.began <= moment < day.ends
    assert (day.ends.astimezone(UTC) - day.began.astimezone(UTC)).total_seconds() == hours * 3600
