"""Whose turn it is at a claim: priority, deadline, and equals alike."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import pytest
from sqlalchemy import event, text, update

from darkroom import db
from darkroom.jobs import control, rests
from darkroom.jobs.claim import Claim, claim, tiers_with_work
from darkroom.models import AttemptState, Render
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books, OpenBooks

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def shares(claims: list[Claim]) -> Counter[str]:
    return Counter(one.job_id for one in claims)


@pytest.mark.parametrize("jobs", [2, 5])
@pytest.mark.parametrize("want", [1, 7, 64])
def test_a_small_job_that_comes_late_is_done_within_two_rounds_of_claims(
    books: Books, jobs: int, want: int
) -> None:
    for _ in range(jobs - 1):
        books.submit(400)
    for _ in range(3):
        books.take(want)
    small = books.submit(max(1, want // jobs))

    for _ in range(2 * jobs):
        books.take(want)

    assert set(books.states(small)) == {"sent"}


def test_equals_share_a_batch_to_the_last_place(books: Books) -> None:
    jobs = [books.submit(how_many) for how_many in (100, 3, 100, 100)]

    taken = shares(books.take(32))

    assert [taken[job_id] for job_id in jobs] == [10, 3, 10, 9]


def test_what_a_job_cannot_use_after_all_goes_to_the_others(books: Books) -> None:
    waiting = books.submit(30)
    other = books.submit(50)
    with db.writing(books.database) as connection:
        later = (Render.job_id == waiting) & (Render.row_no > 1)
        connection.execute(update(Render).where(later).values(due_at=NOON))

    taken = shares(books.take(20))

    assert (taken[waiting], taken[other]) == (2, 18)


def test_a_job_that_waits_at_its_cap_takes_no_places_from_others(books: Books) -> None:
    capped = books.submit(30, cap=20)
    other = books.submit(50)
    books.take(4)

    taken = shares(books.take(20))

    assert (taken[capped], taken[other]) == (0, 20)
    assert books.states(capped).count("pending") == 28


def test_a_higher_priority_goes_first(books: Books) -> None:
    books.submit(20)
    urgent = books.submit(20, priority=5)
    books.submit(20, priority=-1)

    assert shares(books.take(20)) == {urgent: 20}


def test_the_nearest_deadline_goes_first_and_none_goes_last(books: Books) -> None:
    never = books.submit(2)
    far = books.submit(2, deliver_by=NOON + timedelta(days=1))
    near = books.submit(2, deliver_by=NOON)

    order = [books.take(2)[0].job_id for _ in range(3)]

    assert order == [near, far, never]


def test_places_that_the_first_leave_go_to_those_who_stand_behind(books: Books) -> None:
    urgent = books.submit(3, priority=5)
    other = books.submit(20)

    assert shares(books.take(10)) == {urgent: 3, other: 7}


def test_a_model_that_rests_keeps_no_other_from_being_sent(books: Books) -> None:
    for _ in range(51):  # more jobs than one claim looks at
        books.submit(1)
    awake = books.submit(1)
    with db.writing(books.database) as connection:
        connection.execute(update(Render).where(Render.job_id == awake).values(model="other"))
        rests.rest(connection, Tier.VERTEX, "m", seconds=None, reason="gone", hint=None)

    assert list(shares(books.take(5))) == [awake]


def test_a_model_with_few_slots_leaves_its_places_to_others(books: Books) -> None:
    first, _ = books.submit(20), books.submit(20)
    with db.writing(books.database) as connection:
        later = (Render.job_id == first) & (Render.row_no >= 15)
        connection.execute(update(Render).where(later).values(model="other"))

    claims = books.take(12, rooms={"m": 4})

    assert Counter(one.model for one in claims) == {"m": 4, "other": 5}
    assert books.take(12, rooms={"m": 0, "other": 0}) == []


def test_the_tiers_with_work_are_found_by_one_question(books: Books) -> None:
    books.submit(2, tier=Tier.VERTEX)
    books.submit(1, tier=Tier.SIMULATOR)
    paused = books.submit(1, tier=Tier.AISTUDIO)
    books.end(books.take(tier=Tier.SIMULATOR), AttemptState.DELIVERED)
    asked: list[str] = []
    with db.writing(books.database) as connection:
        control.pause(connection, paused)

    with db.reading(books.database) as connection:
        event.listen(connection, "before_execute", lambda *given: asked.append(str(given[1])))
        found = tiers_with_work(connection)

    assert found == [Tier.VERTEX]
    assert len([each for each in asked if "renders" in each]) == 1


class Server(Protocol):
    def new_database(self) -> str: ...


def test_postgresql_reads_a_few_renders_for_a_claim_however_many_are_pending(
    postgres: Server, open_books: OpenBooks
) -> None:
    books = open_books(postgres.new_database())
    books.submit(3_000)
    read = text(
        "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables"
        " WHERE relname = 'renders'"
    )

    with db.writing(books.database) as connection:
        claims = claim(connection, Tier.VERTEX, 10, "wrk_test")
        rows = connection.scalar(read)

    assert len(claims) == 10
    assert rows is not None
    assert rows < 300
