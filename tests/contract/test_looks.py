"""Images of a job that look alike: found in the books, by both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from darkroom import db
from darkroom.jobs.close import Closed, Closing, Picture, close
from darkroom.models import AttemptState
from darkroom.report import alike, quarantined, waste
from darkroom.settings import Rules
from darkroom.storage.parcel import Stored

if TYPE_CHECKING:
    from tests.contract.conftest import Books

RULES = Rules(backoff_seconds=0.001)
SEEN = Picture(sha256="0" * 64, bytes=3, mime="image/png", extension="png", width=1, height=1)


def deliver(books: Books, *looks: str | None, must_differ: bool) -> Closed:
    """Claim as many renders, and bring each an image that looks so."""
    books.make_due()
    claims = books.take(len(looks))
    closings = [
        Closing(
            attempt_id=one.attempt_id,
            ended=AttemptState.DELIVERED,
            charged_nusd=7,
            picture=msgspec.structs.replace(SEEN, look=look, must_differ=must_differ),
        )
        for one, look in zip(claims, looks, strict=True)
    ]
    stored = {each.attempt_id: Stored(f"{each.attempt_id}.png", 3) for each in closings}
    return db.transact(books.database, lambda c: close(c, closings, RULES, stored))


def test_images_that_look_alike_are_kept_and_named(books: Books) -> None:
    job_id = books.submit(5)

    deliver(books, "a", "b", "a", must_differ=False)
    deliver(books, "a", None, must_differ=False)

    with db.reading(books.database) as connection:
        found = alike(connection, job_id)
    assert found == [["r0", "r2", "r3"]]
    assert books.states(job_id) == ["done"] * 5


def test_one_that_must_differ_is_nobodys_is_paid_and_is_asked_for_again(books: Books) -> None:
    job_id = books.submit(3)

    deliver(books, "a", "b", "a", must_differ=True)

    assert books.states(job_id) == ["done", "done", "pending"]
    (one,) = quarantined(books.database, job_id)
    said = "It looks like the image of row r0."
    assert (one.id, one.reason, one.message, one.charged_nusd) == ("r2", "GATE_DUPLICATE", said, 7)
    books.assert_in_order()


def test_it_is_compared_with_what_was_booked_before_and_fails_in_the_end(books: Books) -> None:
    job_id = books.submit(2)
    deliver(books, "a", must_differ=True)

    deliver(books, "a", must_differ=True)
    deliver(books, "a", must_differ=True)

    assert books.states(job_id) == ["done", "failed"]
    with db.reading(books.database) as connection:
        (counted,) = waste(connection, job_id)
    assert (counted.reason, counted.images, counted.charged_nusd) == ("GATE_DUPLICATE", 2, 14)
    books.assert_in_order()


def test_images_of_other_jobs_may_look_the_same(books: Books) -> None:
    first, second = books.submit(1), books.submit(1)

    deliver(books, "a", "a", must_differ=True)

    assert books.states(first) + books.states(second) == ["done", "done"]
    books.assert_in_order()


def test_one_that_differs_the_second_time_is_done(books: Books) -> None:
    job_id = books.submit(2)
    deliver(books, "a", "a", must_differ=True)

    deliver(books, "b", must_differ=True)

    assert books.states(job_id) == ["done", "done"]
    books.assert_in_order()
