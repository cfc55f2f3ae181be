"""Results as they finish, on both databases: none twice, none left out, whoever commits when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from darkroom import db
from darkroom.models import AttemptState, Render, RenderState
from darkroom.stream import Stream

if TYPE_CHECKING:
    from tests.contract.conftest import Books


def read(stream: Stream) -> list[int]:
    """All that is there now."""
    found = []
    while True:
        news = stream.news()
        found += [one.render_id for one in news.results]
        if news.is_all:
            return found


def finish(books: Books, how_many: int, ended: AttemptState = AttemptState.DELIVERED) -> list[int]:
    claims = books.take(how_many)
    books.end(claims, ended)
    return sorted(one.render_id for one in claims)


def test_each_result_comes_once_and_the_stream_ends_with_the_job(books: Books) -> None:
    job_id = books.submit(3)
    stream = Stream(books.database, job_id)

    assert read(stream) == []
    first = finish(books, 2)
    assert sorted(read(stream)) == first
    assert not stream.news().is_over
    last = finish(books, 1)
    assert read(stream) == last
    assert stream.news().is_over
    assert read(stream) == []


def test_a_stream_that_begins_late_has_all_of_it(books: Books) -> None:
    job_id = books.submit(3)
    made = finish(books, 3)

    stream = Stream(books.database, job_id)

    assert sorted(read(stream)) == made
    assert stream.news().is_over


def test_a_result_that_was_dated_earlier_than_one_already_read_still_comes(books: Books) -> None:
    job_id = books.submit(3)
    stream = Stream(books.database, job_id)
    first = finish(books, 1)
    assert read(stream) == first

    late = finish(books, 1)
    with db.writing(books.database) as connection:  # its transaction began before the other's
        seen = connection.scalar(select(Render.finished_at).where(Render.id == first[0]))
        assert seen is not None
        before = seen - timedelta(seconds=20)
        connection.execute(update(Render).where(Render.id == late[0]).values(finished_at=before))

    assert read(stream) == late


def test_another_process_goes_on_where_one_stopped(books: Books) -> None:
    job_id = books.submit(4)
    finish(books, 2)
    seen: dict[int, object] = {}
    stream = Stream(books.database, job_id)
    for result in stream.news().results:
        seen[result.render_id] = result.finished_at
    with db.writing(books.database) as connection:  # long ago
        connection.execute(
            update(Render)
            .where(Render.id == min(seen))
            .values(finished_at=books.now() - timedelta(hours=1))
        )
    after = max(at for at in seen.values() if at is not None)  # type: ignore[type-var]
    fresh = finish(books, 2)

    again = read(Stream(books.database, job_id, after=after))  # type: ignore[arg-type]

    assert min(seen) not in again
    assert set(fresh) <= set(again)


def test_only_the_states_that_are_asked_for_come(books: Books) -> None:
    job_id = books.submit(2)
    finish(books, 1)
    refused = finish(books, 1, AttemptState.REFUSED)

    stream = Stream(books.database, job_id, (RenderState.REFUSED,))

    assert read(stream) == refused


@pytest.mark.parametrize("how_many", [1_000, 1_001, 2_500])
def test_pages_leave_nothing_out(books: Books, how_many: int) -> None:
    job_id = books.submit(how_many)
    made = sorted(finish(books, 700) + finish(books, how_many))

    assert sorted(read(Stream(books.database, job_id))) == made
