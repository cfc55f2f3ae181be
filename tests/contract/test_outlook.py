"""What the router learns from the books, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from tests.contract.conftest import Books

from darkroom import db
from darkroom.jobs import control, rests
from darkroom.models import Attempt, AttemptState
from darkroom.report import outlook
from darkroom.router import Prospect
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier


def seen(database: Engine, **given: object) -> Prospect:
    settings = Settings.model_validate(given)
    with db.reading(database) as connection:
        return outlook(connection, settings, None).of(Tier.VERTEX)


def delivered(books: Books, seconds: list[float], ago: timedelta = timedelta()) -> None:
    """Deliver an image after each of so many seconds, some time ago."""
    books.submit(len(seconds))
    claims = books.take(len(seconds))
    books.end(claims, AttemptState.DELIVERED)
    with db.writing(books.database) as connection:
        now = db.now(connection) - ago
        for one, took in zip(claims, seconds, strict=True):
            own = update(Attempt).where(Attempt.id == one.attempt_id)
            sent_at: datetime = now - timedelta(seconds=took)
            connection.execute(own.values(sent_at=sent_at, closed_at=now))


def test_waiting_times_are_those_of_images_that_came_lately(books: Books) -> None:
    delivered(books, [float(second) for second in range(1, 22)])
    delivered(books, [9_999.0] * 30, ago=timedelta(days=15))

    found = seen(books.database).turnaround

    assert found is not None
    assert (found.p50, found.p90) == pytest.approx((11.0, 19.0))


def test_a_few_images_say_nothing_of_waiting_times(books: Books) -> None:
    delivered(books, [1.0] * 19)

    assert seen(books.database).turnaround is None


def test_what_is_pending_or_in_flight_waits_and_what_is_paused_does_not(books: Books) -> None:
    books.submit(5)
    paused = books.submit(7)
    books.submit(11, tier=Tier.SIMULATOR)
    books.take(2)
    with db.writing(books.database) as connection:
        control.pause(connection, paused)
        assert connection.scalar(select(Attempt.state).limit(1)) == AttemptState.SENT

    assert seen(books.database).waiting == 5 + sum(
        state == "sent" for state in books.states(paused)
    )


def test_a_workers_tiers_and_the_days_requests_are_counted(books: Books) -> None:
    books.submit(3)
    books.take(3)

    found = seen(books.database, tiers={"vertex": {"requests_per_day": 10}})

    assert (found.workers, found.today) == (1, 3)


def test_a_tier_rests_until_its_time_or_until_somebody_acts(books: Books) -> None:
    with db.writing(books.database) as connection:
        rests.rest(connection, Tier.VERTEX, "m", seconds=600, reason="r", hint=None)
    model = seen(books.database)
    with db.writing(books.database) as connection:
        rests.rest(connection, Tier.VERTEX, seconds=None, reason="r", hint=None)
    tier = seen(books.database)

    assert model.rest("m") == pytest.approx(600, abs=60)
    assert model.rest("another") == 0.0
    assert tier.rest("another") == float("inf")
