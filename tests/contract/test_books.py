"""The state machine and the ledger, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from darkroom import db, ledger
from darkroom.audit import audit
from darkroom.jobs import control, leases, load, rests
from darkroom.jobs.claim import Claim, claim, tiers_with_work
from darkroom.jobs.close import Closed, Closing, Picture, close
from darkroom.jobs.known import known
from darkroom.jobs.late import Late, settle_late
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import (
    Account,
    Attempt,
    AttemptState,
    CostSource,
    Job,
    Render,
    RenderState,
    Worker,
)
from darkroom.report import reasons
from darkroom.settings import OnLost, Rules
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

WORKER = "wrk_test"
RULES = Rules(backoff_seconds=0.001)
PLACE = Stored("late.png", 3)
PICTURE = Picture(sha256="0" * 64, bytes=3, mime="image/png", extension="png", width=1, height=1)


def stored(*closings: Closing) -> dict[str, Stored]:
    """Every picture in a place of its own."""
    return {
        closing.attempt_id: Stored(f"{closing.attempt_id}.png", 3, "AAAAAA==")
        for closing in closings
        if closing.picture is not None
    }


def submit(database: Engine, how_many: int, *, cap: int | None = None, reserve: int = 10) -> str:
    renders = [
        NewRender(
            row_no=number,
            line=number + 2,
            row_id=f"r{number}",
            variant=1,
            n=1,
            fingerprint=f"{number:032d}",
            tier=Tier.SIMULATOR,
            model="m",
            request='{"prompt":"p"}',
            labels=None,
            output_path=None,
            rank=0,
            reserve_nusd=reserve,
            max_cost_nusd=None,
        )
        for number in range(how_many)
    ]
    job = NewJob(name="j", cap_nusd=cap, output_path="{id}.{ext}", storage_url="out")
    with db.writing(database) as connection:
        job_id = load.begin(connection, job)
        load.add(connection, job_id, renders)
        load.finish(connection, job_id, Loaded(how_many, how_many, 0, 0, 0))
    return job_id


@pytest.fixture(autouse=True)
def worker(database: Engine) -> None:
    with db.writing(database) as connection:
        leases.register(connection, WORKER, [Tier.SIMULATOR], 60)


def take(database: Engine, want: int = 100) -> list[Claim]:
    return db.transact(database, lambda c: claim(c, Tier.SIMULATOR, want, WORKER))


def end(
    database: Engine,
    claims: list[Claim],
    ended: AttemptState,
    charge: int = 0,
    rules: Rules = RULES,
) -> Closed:
    picture = PICTURE if ended is AttemptState.DELIVERED else None
    closings = [
        Closing(attempt_id=one.attempt_id, ended=ended, charged_nusd=charge, picture=picture)
        for one in claims
    ]
    return db.transact(database, lambda c: close(c, closings, rules, stored(*closings)))


def states(database: Engine) -> list[str]:
    with db.reading(database) as connection:
        return list(connection.scalars(select(Render.state).order_by(Render.id)))


def balance(database: Engine, job_id: str) -> ledger.Balance:
    scope = Account.scope_of(job_id)
    with db.reading(database) as connection:
        return ledger.balances(connection, [scope])[scope]


def make_due(database: Engine) -> None:
    with db.writing(database) as connection:
        connection.execute(update(Render).values(due_at=None))


def assert_clean(database: Engine) -> None:
    assert audit(database, Path()) == []


def test_a_delivered_render_is_done_and_its_charge_booked(database: Engine) -> None:
    job_id = submit(database, 3)

    end(database, take(database), AttemptState.DELIVERED, charge=7)

    assert states(database) == ["done"] * 3
    assert balance(database, job_id) == ledger.Balance(None, 0, 21, 0)
    with db.reading(database) as connection:
        assert connection.scalar(select(Job.finished_at)) is not None
    assert_clean(database)


def test_a_claimed_render_is_not_claimed_again(database: Engine) -> None:
    submit(database, 3)
    first = take(database, 2)

    second = take(database)

    assert len(first) == 2
    assert {one.render_id for one in first}.isdisjoint(one.render_id for one in second)
    assert take(database) == []
    assert_clean(database)


def test_concurrent_claims_never_overlap_nor_break_the_cap(database: Engine) -> None:
    job_id = submit(database, 200, cap=1_000, reserve=10)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: take(database, 9), range(40)))

    renders = [one.render_id for claims in taken for one in claims]
    assert len(renders) == len(set(renders)) == 100
    assert balance(database, job_id).room_nusd == 0
    assert_clean(database)


def test_a_cap_makes_claims_wait_while_money_is_in_flight(database: Engine) -> None:
    submit(database, 3, cap=10)
    claims = take(database)

    assert len(claims) == 1
    assert take(database) == []
    assert states(database) == ["sent", "pending", "pending"]
    assert_clean(database)


def test_a_cap_that_is_met_holds_the_rest_and_a_higher_one_frees_it(database: Engine) -> None:
    job_id = submit(database, 3, cap=15)
    end(database, take(database), AttemptState.DELIVERED, charge=10)

    assert take(database) == []
    assert states(database) == ["done", "held", "held"]

    with db.writing(database) as connection:
        control.set_cap(connection, job_id, 100)
        assert control.resume(connection, job_id) == 2

    assert len(take(database)) == 2
    assert_clean(database)


def test_a_late_writer_loses_by_its_fence(database: Engine) -> None:
    submit(database, 1)
    first = take(database)
    end(database, first, AttemptState.LOST)
    make_due(database)
    second = take(database)

    closed = end(database, first, AttemptState.DELIVERED, charge=5)

    assert not closed.steps
    assert [closing.attempt_id for closing in closed.late] == [first[0].attempt_id]
    assert end(database, second, AttemptState.DELIVERED, charge=5).steps
    assert_clean(database)


def test_a_lost_answer_is_sent_again_once_and_then_held(database: Engine) -> None:
    job_id = submit(database, 1)

    end(database, take(database), AttemptState.LOST)
    assert states(database) == ["pending"]
    make_due(database)
    end(database, take(database), AttemptState.LOST)

    assert states(database) == ["held"]
    assert balance(database, job_id) == ledger.Balance(None, 0, 0, 20)
    assert_clean(database)


def test_a_render_that_killed_two_workers_is_held_and_not_given_to_a_third(
    database: Engine,
) -> None:
    job_id = submit(database, 1)
    for worker_id in ("wrk_first", "wrk_second"):
        with db.writing(database) as connection:
            leases.register(connection, worker_id, [Tier.SIMULATOR], 60)
            assert len(claim(connection, Tier.SIMULATOR, 1, worker_id)) == 1
        with db.writing(database) as connection:
            leases.end(connection, worker_id)
        assert db.transact(database, lambda c: leases.bury(c, RULES)) == 1
        make_due(database)

    assert states(database) == ["held"]
    assert take(database) == []
    with db.reading(database) as connection:
        (why,) = reasons(connection, job_id)
    assert (why.reason, why.renders) == ("lost", 1)
    assert_clean(database)


def test_a_third_attempt_takes_a_persons_word_each_time(database: Engine) -> None:
    job_id = submit(database, 1)
    for _ in range(2):
        end(database, take(database), AttemptState.LOST)
        make_due(database)
    with db.writing(database) as connection:
        assert control.retry(connection, job_id, [RenderState.HELD]) == 1

    end(database, take(database), AttemptState.LOST)

    assert states(database) == ["held"]
    assert_clean(database)


def test_a_lost_answer_is_held_at_once_when_the_rule_says_so(database: Engine) -> None:
    job_id = submit(database, 1)
    end(database, take(database), AttemptState.LOST, rules=Rules(on_lost=OnLost.HOLD))

    assert states(database) == ["held"]

    with db.writing(database) as connection:
        control.retry(connection, job_id, [RenderState.HELD])
    end(database, take(database), AttemptState.DELIVERED, charge=3)

    assert states(database) == ["done"]
    assert_clean(database)


def test_an_answer_that_turns_up_late_is_adopted_while_nobody_was_asked_again(
    database: Engine,
) -> None:
    job_id = submit(database, 1)
    (one,) = take(database)
    end(database, [one], AttemptState.LOST)
    late = Closing(
        attempt_id=one.attempt_id, ended=AttemptState.DELIVERED, charged_nusd=7, picture=PICTURE
    )

    assert db.transact(database, lambda c: settle_late(c, late, PLACE)) is Late.ADOPTED

    assert states(database) == ["done"]
    assert balance(database, job_id) == ledger.Balance(None, 0, 7, 0)
    assert db.transact(database, lambda c: settle_late(c, late, PLACE)) is Late.KNOWN
    assert_clean(database)


def test_an_answer_that_turns_up_too_late_is_booked_as_paid_twice(database: Engine) -> None:
    job_id = submit(database, 1)
    first = take(database)
    end(database, first, AttemptState.LOST)
    make_due(database)
    end(database, take(database), AttemptState.DELIVERED, charge=7)
    late = Closing(
        attempt_id=first[0].attempt_id,
        ended=AttemptState.DELIVERED,
        charged_nusd=7,
        picture=PICTURE,
    )

    assert db.transact(database, lambda c: settle_late(c, late, PLACE)) is Late.PAID_TWICE

    assert balance(database, job_id) == ledger.Balance(None, 0, 14, 0)
    assert db.transact(database, lambda c: settle_late(c, late, PLACE)) is Late.UNWANTED
    assert balance(database, job_id) == ledger.Balance(None, 0, 14, 0)
    assert_clean(database)


def test_an_answer_that_is_lost_twice_stays_at_risk(database: Engine) -> None:
    """A reply to a commit that never came lets a worker settle the same answers again."""
    job_id = submit(database, 1)
    first = take(database)
    end(database, first, AttemptState.LOST)
    again = Closing(attempt_id=first[0].attempt_id, ended=AttemptState.LOST)

    assert db.transact(database, lambda c: settle_late(c, again, None)) is Late.UNWANTED

    assert balance(database, job_id) == ledger.Balance(None, 0, 0, 10)
    assert_clean(database)


def test_what_an_estimate_may_fall_short_of_is_at_risk(database: Engine) -> None:
    job_id = submit(database, 1, reserve=10)
    (one,) = take(database)
    estimated = Closing(
        attempt_id=one.attempt_id,
        ended=AttemptState.DELIVERED,
        charged_nusd=7,
        cost_source=CostSource.ESTIMATED,
        picture=PICTURE,
    )

    db.transact(database, lambda c: close(c, [estimated], RULES, stored(estimated)))

    assert balance(database, job_id) == ledger.Balance(None, 0, 7, 3)
    assert_clean(database)


def test_a_dead_workers_attempts_are_given_up_and_a_live_ones_are_not(database: Engine) -> None:
    submit(database, 2)
    take(database, 1)
    with db.writing(database) as connection:
        leases.register(connection, "wrk_other", [Tier.SIMULATOR], 60)
    db.transact(database, lambda c: claim(c, Tier.SIMULATOR, 1, "wrk_other"))
    with db.writing(database) as connection:
        leases.end(connection, "wrk_other")

    buried = db.transact(database, lambda c: leases.bury(c, RULES))

    assert buried == 1
    assert states(database) == ["sent", "pending"]
    assert_clean(database)


def test_a_lease_is_renewed_by_the_databases_clock(database: Engine) -> None:
    with db.writing(database) as connection:
        leases.renew(connection, WORKER, 500)
        now = db.now(connection)
        until = connection.execute(select(Worker.lease_until)).scalar_one()

    assert 400 < (until - now).total_seconds() <= 500


def test_busy_uses_up_no_try_and_transient_failures_end_at_the_limit(database: Engine) -> None:
    submit(database, 1)
    rules = Rules(max_attempts=2, backoff_seconds=0.001)
    for ended in (AttemptState.BUSY, AttemptState.BUSY, AttemptState.TRANSIENT):
        end(database, take(database), ended, rules=rules)
        make_due(database)
        assert states(database) == ["pending"]

    end(database, take(database), AttemptState.TRANSIENT, rules=rules)

    assert states(database) == ["failed"]
    assert_clean(database)


def test_cancel_spares_what_is_in_flight_and_pays_for_it(database: Engine) -> None:
    job_id = submit(database, 3)
    claims = take(database, 2)

    with db.writing(database) as connection:
        assert control.cancel(connection, job_id) == 1
    end(database, claims[:1], AttemptState.DELIVERED, charge=4)
    end(database, claims[1:], AttemptState.BUSY)

    assert states(database) == ["done", "cancelled", "cancelled"]
    assert balance(database, job_id).spent_nusd == 4
    assert_clean(database)


def test_a_paused_job_is_not_claimed_from(database: Engine) -> None:
    job_id = submit(database, 1)
    with db.writing(database) as connection:
        control.pause(connection, job_id)

    assert take(database) == []

    with db.writing(database) as connection:
        control.resume(connection, job_id)
    assert len(take(database)) == 1


def test_a_resting_tier_or_model_is_not_claimed_from(database: Engine) -> None:
    submit(database, 1)
    with db.writing(database) as connection:
        rests.rest(connection, Tier.SIMULATOR, "m", seconds=None, reason="gone", hint=None)

    assert take(database) == []

    with db.writing(database) as connection:
        assert [rest.reason for rest in rests.current(connection)] == ["gone"]
        rests.wake(connection, Tier.SIMULATOR)
    assert len(take(database)) == 1


def test_a_job_that_is_still_loading_is_not_claimed_from_and_can_be_discarded(
    database: Engine,
) -> None:
    job = NewJob(name="j", output_path="{id}.{ext}", storage_url="out")
    with db.writing(database) as connection:
        job_id = load.begin(connection, job)
        assert tiers_with_work(connection) == []
        load.discard(connection, job_id)

    with db.reading(database) as connection:
        assert connection.scalar(select(Job.id)) is None


def test_a_long_job_does_not_starve_a_short_one(database: Engine) -> None:
    submit(database, 100)
    take(database, 10)
    short = submit(database, 5)

    claims = take(database, 10)

    assert sum(one.job_id == short for one in claims) == 5


def test_known_pictures_are_done_refused_or_on_their_way_but_not_failed_ones(
    database: Engine,
) -> None:
    submit(database, 4)
    done, refused, failed, _ = take(database)
    end(database, [done], AttemptState.DELIVERED)
    end(database, [refused], AttemptState.REFUSED)
    end(database, [failed], AttemptState.INVALID)

    with db.reading(database) as connection:
        found = known(connection, [f"{number:032d}" for number in range(5)])

    assert {name: each.state for name, each in found.items()} == {
        f"{0:032d}": RenderState.DONE,
        f"{1:032d}": RenderState.REFUSED,
        f"{3:032d}": RenderState.SENT,
    }


def test_an_attempt_is_committed_as_sent_before_anybody_can_send_it(database: Engine) -> None:
    submit(database, 1)

    (one,) = take(database)

    with db.reading(database) as connection:
        row = connection.execute(select(Attempt.state, Attempt.reserved_nusd)).one()
    assert tuple(row) == ("sent", 10)
    assert one.fence == 1
