"""What was claimed and waits for its turn, when everything or its tier is stopped meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs import rests
from darkroom_manifests.tier import Tier
from darkroom_worker.stops import Stops, read_stops

LONG = 60.0


@pytest.fixture
def stops(database: Engine) -> Iterator[Stops]:
    stops = Stops(partial(read_stops, database), lambda: True)
    yield stops
    stops.close()


def stop_everything(database: Engine) -> None:
    with db.writing(database) as connection:
        rests.stop_everything(connection)


def test_what_was_claimed_before_everything_was_stopped_does_not_leave(
    database: Engine, stops: Stops
) -> None:
    claimed_at = time.monotonic()
    asyncio.run(stops.look())
    before = stops.let(Tier.VERTEX, "m", claimed_at)
    stop_everything(database)

    asyncio.run(stops.look())

    assert before
    assert not stops.let(Tier.VERTEX, "m", claimed_at)
    assert stops.hold(Tier.SIMULATOR, "other")


def test_what_is_claimed_after_the_stop_was_taken_back_may_leave_at_once(
    database: Engine, stops: Stops
) -> None:
    stop_everything(database)
    asyncio.run(stops.look())
    with db.writing(database) as connection:
        rests.go_on(connection)

    assert stops.let(Tier.VERTEX, "m", time.monotonic())


def test_a_model_that_rests_holds_only_its_own(database: Engine, stops: Stops) -> None:
    with db.writing(database) as connection:
        rests.rest(connection, Tier.VERTEX, "m", seconds=60, reason="quota", hint=None)

    asyncio.run(stops.look())

    asked = [(Tier.VERTEX, "m"), (Tier.VERTEX, "n"), (Tier.AISTUDIO, "m")]
    assert [stops.let(*each, 0.0) for each in asked] == [False, True, True]
    assert [stops.hold(*each) for each in asked] == [True, False, False]


def test_nothing_leaves_on_old_word(stops: Stops) -> None:
    assert stops.let(Tier.VERTEX, "m", time.monotonic())
    assert not stops.let(Tier.VERTEX, "m", time.monotonic() - LONG)
