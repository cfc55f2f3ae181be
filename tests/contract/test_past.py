"""What the books remember of a tier, on both databases: limits are filled again from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from darkroom import db
from darkroom.jobs import leases, load
from darkroom.jobs.claim import claim
from darkroom.jobs.close import Closing, close
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import Attempt, AttemptState
from darkroom.report import Past, costs, past, results
from darkroom.settings import Rules
from darkroom_manifests.tier import Tier

WORKER = "wrk_test"
MODELS = ("slow", "slow", "fast", "slow", "fast", "tired")


@pytest.fixture(autouse=True)
def job(database: Engine) -> None:
    """Six renders of three models, each with 10 nano-dollars to be set aside."""
    renders = [
        NewRender(
            row_no=number,
            line=number + 2,
            row_id=f"r{number}",
            variant=1,
            n=1,
            fingerprint=f"{number:032d}",
            tier=Tier.SIMULATOR,
            model=model,
            request='{"prompt":"p"}',
            labels=None,
            output_path=None,
            rank=0,
            reserve_nusd=10,
            max_cost_nusd=None,
        )
        for number, model in enumerate(MODELS)
    ]
    job = NewJob(name="j", cap_nusd=None, output_path="{id}.{ext}", storage_url="out")
    with db.writing(database) as connection:
        leases.register(connection, WORKER, [Tier.SIMULATOR], 60)
        job_id = load.begin(connection, job)
        load.add(connection, job_id, renders)
        load.finish(connection, job_id, Loaded(6, 6, 0, 0, 0))


def taken(database: Engine, **rooms: int) -> list[str]:
    found = db.transact(database, lambda c: claim(c, Tier.SIMULATOR, 100, WORKER, rooms))
    return [one.model for one in found]


def remembered(database: Engine) -> Past:
    with db.reading(database) as connection:
        return past(connection, Tier.SIMULATOR, 600)


def test_no_more_is_claimed_of_a_model_than_there_is_room_for(database: Engine) -> None:
    first = taken(database, slow=1, tired=0)
    second = taken(database)

    assert first == ["slow", "fast", "fast"]
    assert second == ["slow", "slow", "tired"]


def test_what_was_never_sent_is_not_counted_and_what_was_lost_is(database: Engine) -> None:
    claims = db.transact(database, lambda c: claim(c, Tier.SIMULATOR, 4, WORKER))
    ends = (AttemptState.NOT_SENT, AttemptState.LOST, AttemptState.BUSY)
    closings = [
        Closing(attempt_id=one.attempt_id, ended=ended)
        for one, ended in zip(claims, ends, strict=False)
    ]
    db.transact(database, lambda c: close(c, closings, Rules(), {}))

    found = remembered(database)
    with db.reading(database) as connection:
        spending = costs(connection)
        (job_id,) = spending.by_job
    sent = [result.attempts for result in results(database, job_id)]

    assert sorted(sent) == [0, 0, 0, 1, 1, 1]
    assert spending.total.attempts == spending.by_tier[Tier.SIMULATOR].attempts == 3
    assert (found.minute, found.today, found.in_flight) == (3, 3, 1)
    assert found.spent_nusd == 10 + 10


def test_what_is_long_ago_is_no_use_of_a_minute(database: Engine) -> None:
    taken(database)
    with db.writing(database) as connection:
        ago = db.now(connection) - timedelta(seconds=90)
        connection.execute(update(Attempt).values(sent_at=ago))

    found = remembered(database)

    assert found.minute == 0
    assert found.newest == pytest.approx(90, abs=20)
    assert [nusd for _, nusd in found.spending] == [10] * 6
