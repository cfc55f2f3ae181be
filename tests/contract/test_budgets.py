"""Nested caps: job < day < everything, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from darkroom import db
from darkroom.audit import audit
from darkroom.idle import is_idle
from darkroom.jobs import control, rests
from darkroom.jobs.claim import tiers_with_work
from darkroom.jobs.close import Closing
from darkroom.jobs.late import Late, settle_late
from darkroom.ledger import ALL, Balance
from darkroom.models import Account, Attempt, AttemptState, Render, Rest
from darkroom.report import allowances, reasons, waits
from darkroom.settings import Budget
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books

REAL = [tier for tier in Tier if not tier.is_simulated]


def nano(nusd: int) -> Decimal:
    return Decimal(nusd).scaleb(-9)


def budget(*, day: int | None = None, total: int | None = None) -> Budget:
    return Budget(
        per_day=None if day is None else nano(day), total=None if total is None else nano(total)
    )


def today(books: Books) -> str:
    return Account.scope_of_day(books.now())


def resting(books: Books) -> list[Rest]:
    with db.reading(books.database) as connection:
        return list(rests.current(connection))


def idle(books: Books, job_id: str | None = None) -> bool:
    with db.reading(books.database) as connection:
        return is_idle(connection, job_id)


def test_real_money_is_booked_on_its_job_its_day_and_everything(books: Books) -> None:
    job_id = books.submit(3)

    claims = books.take()
    books.end(claims[:1], AttemptState.DELIVERED, charge=7)
    books.end(claims[1:2], AttemptState.LOST)

    expected = Balance(None, reserved_nusd=10, spent_nusd=7, at_risk_nusd=10)
    for scope in (Account.scope_of(job_id), today(books), ALL):
        assert books.balance(scope) == expected
    books.assert_in_order()


def test_pretended_money_is_booked_on_its_job_alone(books: Books) -> None:
    job_id = books.submit(2, tier=Tier.SIMULATOR)

    claims = books.take(tier=Tier.SIMULATOR, budget=budget(day=0, total=0))
    books.end(claims, AttemptState.DELIVERED, charge=7)

    assert books.balance(Account.scope_of(job_id)).spent_nusd == 14
    assert books.balance(ALL) == books.balance(today(books)) == Balance(None, 0, 0, 0)
    books.assert_in_order()


@pytest.mark.parametrize("caps", [budget(day=500), budget(total=500), budget(day=700, total=600)])
def test_eight_claimers_never_exceed_any_of_the_nested_caps(books: Books, caps: Budget) -> None:
    jobs = [books.submit(60, cap=cap) for cap in (None, 200, 250, 5)]
    scopes = [ALL, today(books), *map(Account.scope_of, jobs)]
    over: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for scope in scopes:
                room = books.balance(scope).room_nusd
                over.extend([scope] if room is not None and room < 0 else [])

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  # the same each time
        for _ in range(12):
            claims = books.take(chance.randint(1, 9), tier=chance.choice(REAL[:1]), budget=caps)
            how = chance.choice([AttemptState.DELIVERED, AttemptState.BUSY, AttemptState.LOST])
            books.end(claims, how, charge=10 if how is AttemptState.DELIVERED else 0)

    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(tier=REAL[0]))
    with ThreadPoolExecutor(9) as pool:
        witness = pool.submit(watch)
        list(pool.map(work, range(8)))
        ended.set()
        witness.result()

    assert over == []
    assert books.balance(ALL).used_nusd > 0
    books.assert_in_order()


def test_a_days_budget_that_is_spent_lets_renders_wait_for_the_next_day(books: Books) -> None:
    job_id = books.submit(3)
    caps = budget(day=15)
    books.end(books.take(budget=caps), AttemptState.DELIVERED, charge=10)

    assert books.take(budget=caps) == []

    assert books.states(job_id) == ["done", "pending", "pending"]
    (rest,) = resting(books)
    assert (rest.tier, rest.reason) == (Tier.VERTEX, rests.DAY_SPENT)
    assert rest.until is not None
    assert rest.until.date() == books.now().date() + timedelta(days=1)
    assert rest.until.time() == rest.until.min.time()
    with db.reading(books.database) as connection:
        assert [each.reason for each in waits(connection, job_id)] == [rests.DAY_SPENT]
    assert idle(books)
    books.assert_in_order()


def test_a_days_budget_waits_for_what_is_in_flight_before_it_is_called_spent(books: Books) -> None:
    books.submit(3)
    caps = budget(day=15)
    flying = books.take(budget=caps)

    assert len(flying) == 1
    assert books.take(budget=caps) == []
    assert resting(books) == []
    assert not idle(books)

    books.end(flying, AttemptState.DELIVERED, charge=2)
    assert len(books.take(budget=caps)) == 1
    books.assert_in_order()


def test_a_raised_budget_goes_on_without_anybody_waking_the_tier(books: Books) -> None:
    books.submit(2)
    books.end(books.take(budget=budget(day=10)), AttemptState.DELIVERED, charge=10)
    assert books.take(budget=budget(day=10)) == []
    with db.reading(books.database) as connection:
        assert tiers_with_work(connection) == [Tier.VERTEX]

    assert len(books.take(budget=budget(day=20))) == 1

    assert resting(books) == []
    assert books.balance(today(books)).cap_nusd == 20
    books.assert_in_order()


def test_a_new_day_has_its_own_budget_and_old_attempts_keep_their_day(books: Books) -> None:
    books.submit(2)
    caps = budget(day=10)
    old = books.take(budget=caps)
    yesterday = books.now() - timedelta(days=1)
    with db.writing(books.database) as connection:
        scope = Account.scope_of_day(yesterday)
        connection.execute(update(Account).where(Account.scope == today(books)).values(scope=scope))
        connection.execute(update(Attempt).values(sent_at=yesterday))

    new = books.take(budget=caps)
    books.end([*old, *new], AttemptState.DELIVERED, charge=4)

    assert books.balance(scope) == Balance(10, 0, 4, 0)
    assert books.balance(today(books)) == Balance(10, 0, 4, 0)
    assert books.balance(ALL) == Balance(None, 0, 8, 0)
    books.assert_in_order()


def test_a_late_answer_is_booked_on_the_day_that_it_was_asked_for(books: Books) -> None:
    books.submit(1)
    (one,) = books.take()
    books.end([one], AttemptState.LOST)
    late = Closing(attempt_id=one.attempt_id, ended=AttemptState.NO_IMAGE, charged_nusd=6)

    found = db.transact(books.database, lambda c: settle_late(c, late, None))

    assert found is Late.PAID_TWICE
    assert books.balance(today(books)) == books.balance(ALL) == Balance(None, 0, 6, 0)
    books.assert_in_order()


def test_a_total_that_is_met_holds_what_is_left_until_a_person_raises_it(books: Books) -> None:
    job_id = books.submit(3)
    books.end(books.take(budget=budget(total=15)), AttemptState.DELIVERED, charge=10)

    assert books.take(budget=budget(total=15)) == []

    assert books.states(job_id) == ["done", "held", "held"]
    with db.reading(books.database) as connection:
        assert [(each.reason, each.renders) for each in reasons(connection, job_id)] == [("cap", 2)]
    with db.writing(books.database) as connection:
        assert control.resume(connection, job_id) == 2
    assert len(books.take(budget=budget(total=100))) == 2
    books.assert_in_order()


def test_a_total_that_is_met_holds_nothing_that_is_pretended(books: Books) -> None:
    job_id = books.submit(2)
    with db.writing(books.database) as connection:
        first = Render.row_no == 0
        connection.execute(update(Render).where(first).values(tier=Tier.SIMULATOR))

    assert books.take(budget=budget(total=5)) == []

    assert books.states(job_id) == ["pending", "held"]
    assert len(books.take(tier=Tier.SIMULATOR, budget=budget(total=5))) == 1
    books.assert_in_order()


def test_what_does_not_fit_does_not_keep_back_a_smaller_one_of_another_job(books: Books) -> None:
    large = books.submit(2, reserve=50)
    small = books.submit(2, reserve=5)

    claims = books.take(1, budget=budget(day=12))

    assert [one.job_id for one in claims] == [small]
    assert books.states(large) == ["pending", "pending"]
    assert resting(books) == []
    books.assert_in_order()


def test_a_budget_below_what_was_spent_stops_all_and_leaves_the_books_in_order(
    books: Books,
) -> None:
    books.submit(3)
    books.end(books.take(2), AttemptState.DELIVERED, charge=10)

    assert books.take(budget=budget(day=5, total=1)) == []

    books.assert_in_order()


def test_a_charge_above_its_reservation_passes_the_caps_by_that_and_no_more(books: Books) -> None:
    books.submit(3)
    caps = budget(day=20, total=20)

    books.end(books.take(budget=caps), AttemptState.DELIVERED, charge=14)

    assert books.balance(ALL) == books.balance(today(books)) == Balance(20, 0, 28, 0)
    assert books.take(budget=caps) == []
    books.assert_in_order()


def test_an_account_that_is_off_by_one_is_found(books: Books) -> None:
    books.submit(1)
    books.take()
    for scope in (ALL, today(books)):
        with db.writing(books.database) as connection:
            off = Account.reserved_nusd + 1
            connection.execute(
                update(Account).where(Account.scope == scope).values(reserved_nusd=off)
            )

    found = audit(books.database, Path())

    assert {row.detail["scope"] for row in found} == {ALL, today(books)}


def test_the_allowances_say_what_is_left_of_today_and_of_everything(books: Books) -> None:
    books.submit(2)
    caps = budget(day=50)
    books.end(books.take(1, budget=caps), AttemptState.DELIVERED, charge=8)
    books.take(1, budget=caps)

    with db.reading(books.database) as connection:
        day, everything = allowances(connection, caps)

    assert (day.used_nusd, day.room_nusd, day.cap_nusd) == (18, 32, 50)
    assert (everything.used_nusd, everything.room_nusd) == (18, None)
    assert day.ends_at is not None
    assert everything.ends_at is None


def test_the_kill_switch_stops_every_tier_and_starting_a_stack_does_not_lift_it(
    books: Books,
) -> None:
    jobs = [books.submit(1, tier=tier) for tier in (Tier.VERTEX, Tier.SIMULATOR)]
    with db.writing(books.database) as connection:
        assert rests.stop_everything(connection)
        assert not rests.stop_everything(connection)
        rests.wake_all(connection)
        for tier in Tier:
            rests.wake(connection, tier)

    assert [claim for tier in Tier for claim in books.take(tier=tier)] == []
    with db.reading(books.database) as connection:
        assert tiers_with_work(connection) == []
        assert all(len(waits(connection, job_id)) == 1 for job_id in jobs)
    assert idle(books)

    with db.writing(books.database) as connection:
        assert rests.go_on(connection)
        assert not rests.go_on(connection)
    assert len(books.take()) == 1
    assert not idle(books)
