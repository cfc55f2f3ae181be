"""Rests that meet: the one that lasts longer stays, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs import rests
from darkroom_manifests.tier import Tier


def reasons(database: Engine, *told: float | None) -> list[str]:
    """Let a tier rest for so many seconds, one after the other; what stays."""
    with db.writing(database) as connection:
        for seconds in told:
            rests.rest(connection, Tier.VERTEX, seconds=seconds, reason=str(seconds), hint=None)
    return in_force(database)


def in_force(database: Engine) -> list[str]:
    with db.reading(database) as connection:
        return [rest.reason for rest in rests.current(connection)]


@pytest.mark.parametrize(
    ("told", "stays"),
    [
        ((600, 60), "600"),
        ((60, 600), "600"),
        ((None, 60), "None"),
        ((60, None), "None"),
        ((0, 60), "60"),
    ],
)
def test_of_two_rests_the_longer_one_stays(
    database: Engine, told: tuple[float | None, ...], stays: str
) -> None:
    assert reasons(database, *told) == [stays]


def test_a_rest_that_only_tells_gives_way(database: Engine) -> None:
    with db.writing(database) as connection:
        rests.spend_no_more_today(connection, Tier.VERTEX, db.now(connection), "a hint")
    before = in_force(database)

    assert before == [rests.DAY_SPENT]
    assert reasons(database, 1.0) == ["1.0"]
