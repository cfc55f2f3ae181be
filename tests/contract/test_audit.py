"""Each bug is planted in the books, on SQLite and PostgreSQL alike, and the audit names it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, text, update

from darkroom import Darkroom, db
from darkroom.audit import audit
from darkroom.jobs import control, load
from darkroom.jobs.close import Closing
from darkroom.jobs.late import Late, settle_late
from darkroom.jobs.load import NewJob
from darkroom.models import AttemptState, Job, Render, RenderState
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books, MakeRenders

NOT_CHARGED = "a delivered attempt was charged"
NOT_AT_RISK = "a lost attempt is at risk, or was charged when its answer turned up"
SENT_AGAIN = "nothing is sent again but after a known failure, or by a rule or a person's word"
ROW_MISSING = "an accepted row has n renders but for those that are rendered elsewhere"

ROWS: list[dict[str, object]] = [{"id": f"r{n}", "prompt": f"lamp {n}", "n": 2} for n in range(4)]


def found(books: Books) -> set[str]:
    return {violation.name for violation in audit(books.database, Path())}


def plant(books: Books, *statements: str) -> None:
    with db.writing(books.database) as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_delivered_attempt_whose_charge_was_skipped_is_found(books: Books) -> None:
    books.submit(2)
    books.end(books.take(), AttemptState.DELIVERED, charge=0)

    assert found(books) == {NOT_CHARGED}


def test_bought_throughput_and_renders_without_a_price_cost_nothing(books: Books) -> None:
    books.submit(1, tier=Tier.VERTEX_PROVISIONED)
    books.submit(1, reserve=0)
    for tier in (Tier.VERTEX_PROVISIONED, Tier.VERTEX):
        books.end(books.take(tier=tier), AttemptState.DELIVERED, charge=0)
    books.submit(1)
    books.end(books.take(), AttemptState.DELIVERED, charge=0)
    plant(books, "UPDATE attempts SET traffic_type = 'PROVISIONED_THROUGHPUT'")

    books.assert_in_order()


def test_a_lost_attempt_that_is_booked_at_no_risk_is_found(books: Books) -> None:
    books.submit(1, tier=Tier.SIMULATOR)
    books.end(books.take(tier=Tier.SIMULATOR), AttemptState.LOST)

    for table in ("attempts", "renders", "accounts"):
        plant(books, f"UPDATE {table} SET at_risk_nusd = 0")  # noqa: S608  # our own words

    assert found(books) == {NOT_AT_RISK}


def test_what_was_given_up_and_turns_out_to_have_cost_nothing_is_not_lost(books: Books) -> None:
    books.submit(1)
    (one,) = books.take()
    books.end([one], AttemptState.LOST)
    late = Closing(attempt_id=one.attempt_id, ended=AttemptState.BUSY)

    db.transact(books.database, lambda c: settle_late(c, late, None))

    assert db.transact(books.database, lambda c: settle_late(c, late, None)) is Late.UNWANTED

    with db.reading(books.database) as connection:
        assert connection.scalar(text("SELECT state FROM attempts")) == "busy"
    books.assert_in_order()


@pytest.mark.parametrize(
    "ended", [AttemptState.REFUSED, AttemptState.INVALID, AttemptState.DELIVERED]
)
def test_a_request_that_is_sent_again_without_anybodys_word_is_found(
    books: Books, ended: AttemptState
) -> None:
    job_id = books.submit(1)
    books.end(books.take(), ended, charge=int(ended is AttemptState.DELIVERED))
    counter = {"refused": "refused", "invalid": "failed", "delivered": "done"}[ended]
    plant(
        books,
        "UPDATE renders SET state = 'pending', attempt_id = NULL, uri = NULL, sha256 = NULL",
        f"UPDATE jobs SET {counter} = 0, pending = 1, finished_at = NULL",  # noqa: S608  # same
    )
    assert books.states(job_id) == ["pending"]

    books.take()

    assert SENT_AGAIN in found(books)


@pytest.mark.parametrize("ended", [AttemptState.REFUSED, AttemptState.INVALID])
def test_a_person_who_says_retry_is_written_down(books: Books, ended: AttemptState) -> None:
    job_id = books.submit(1)
    for _ in range(2):
        books.end(books.take(), ended)
        with db.writing(books.database) as connection:
            states = [RenderState.REFUSED, RenderState.FAILED]
            assert control.retry(connection, job_id, states) == 1
    books.end(books.take(), AttemptState.DELIVERED, charge=7)

    with db.reading(books.database) as connection:
        query = text("SELECT resend_rule FROM attempts ORDER BY fence")
        assert connection.scalars(query).all() == ["a person said so"] * 2 + [None]
    books.assert_in_order()


@pytest.mark.parametrize(
    "ended",
    [
        AttemptState.BUSY,
        AttemptState.NOT_SENT,
        AttemptState.TRANSIENT,
        AttemptState.NO_IMAGE,
        AttemptState.SPOILED,
        AttemptState.DENIED,
        AttemptState.GONE,
        AttemptState.LOST,
    ],
)
def test_what_is_sent_again_by_the_rules_is_in_order(books: Books, ended: AttemptState) -> None:
    books.submit(1)
    books.end(books.take(), ended)
    books.make_due()

    assert len(books.take()) == 1
    books.assert_in_order()


def test_a_row_whose_render_is_gone_with_its_counter_is_found(books: Books) -> None:
    books.submit(3)
    plant(books, "DELETE FROM renders WHERE row_no = 1", "UPDATE jobs SET pending = pending - 1")

    assert found(books) == {ROW_MISSING}


def test_a_row_that_lacks_one_of_its_renders_is_found(tmp_path: Path, database_url: str) -> None:
    with Darkroom(Settings(home=tmp_path, database_url=database_url)) as room:
        room.submit(ROWS)
        with db.writing(room.database) as connection:
            connection.execute(delete(Render).where(Render.row_no == 2, Render.variant == 2))
            connection.execute(update(Job).values(pending=Job.pending - 1))

        assert [each.name for each in audit(room.database, tmp_path)] == [ROW_MISSING]


def test_a_job_with_more_rows_than_were_accepted_is_found(books: Books) -> None:
    books.submit(3)
    plant(books, "UPDATE jobs SET rows = 2")

    assert found(books) == {ROW_MISSING}


def test_rows_that_are_rendered_elsewhere_are_not_missing(
    tmp_path: Path, database_url: str
) -> None:
    with Darkroom(Settings(home=tmp_path, database_url=database_url)) as room:
        room.submit([row | {"n": 1} for row in ROWS[:2]])
        room.submit(room.plan(ROWS, limit=3))
        room.submit(ROWS)

        assert audit(room.database, tmp_path) == []


def test_a_job_that_others_overtook_between_plan_and_load_counts_what_it_finds(
    tmp_path: Path, database_url: str
) -> None:
    with Darkroom(Settings(home=tmp_path, database_url=database_url)) as room:
        plan = room.plan(ROWS)
        room.submit(ROWS[:1])

        state = room.submit(plan).state

        assert (state.pending, state.unchanged) == (6, 2)
        assert audit(room.database, tmp_path) == []


def test_a_job_that_is_still_loading_lacks_nothing(books: Books, make_renders: MakeRenders) -> None:
    job = NewJob(name="j", output_path="{id}.{ext}", storage_url="out")
    with db.writing(books.database) as connection:
        load.add(connection, load.begin(connection, job), make_renders(["a", "b"]))

    books.assert_in_order()
