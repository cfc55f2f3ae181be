"""Books beside what the broker remembers of them, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from sqlalchemy import delete, select

from darkroom import Darkroom, db, gauges, hindsight
from darkroom.broker import Broker
from darkroom.errors import DarkroomError
from darkroom.jobs import rests
from darkroom.models import Attempt, AttemptState, Render, Rest
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books

NOWHERE = "unix:///nowhere.sock"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = Broker(tmp_path_factory.mktemp("home"))
    yield broker.start()
    broker.stop()


@pytest.fixture
def broker_url(broker: str) -> str:
    with Redis.from_url(broker) as redis:
        redis.flushall()
    return broker


def sent(books: Books, tier: Tier = Tier.VERTEX) -> str:
    """Send something; the attempt."""
    books.submit(1, tier=tier)
    (one,) = books.take(tier=tier)
    return one.attempt_id


def restore(books: Books) -> None:
    """Bring the books back to before anything was sent."""
    with db.writing(books.database) as connection:
        connection.execute(delete(Attempt))
        connection.execute(delete(Render))


def switch(books: Books) -> str | None:
    """Why nothing may be sent at all."""
    with db.reading(books.database) as connection:
        query = select(Rest.reason).where(Rest.tier == rests.EVERY_TIER)
        return connection.scalar(query)


def test_the_broker_remembers_the_newest_attempt_of_all_tiers(
    books: Books, broker_url: str
) -> None:
    for tier in (Tier.VERTEX, Tier.SIMULATOR, Tier.AISTUDIO):
        newest = sent(books, tier)

        assert hindsight.look(books.database, broker_url)
        assert gauges.newest(broker_url) == newest


def test_books_that_lack_what_the_broker_remembers_send_nothing(
    books: Books, broker_url: str
) -> None:
    newest = sent(books)
    hindsight.look(books.database, broker_url)
    restore(books)
    books.submit(1)

    first, second = (hindsight.look(books.database, broker_url) for _ in range(2))

    assert (first, second) == (False, True), "it is news once"
    assert switch(books) == rests.BOOKS_ARE_OLD
    assert books.take() == []
    assert gauges.newest(broker_url) == newest, "another restore must be noticed, too"


def test_whoever_trusts_them_lets_them_send_and_be_remembered(
    books: Books, broker_url: str
) -> None:
    sent(books)
    hindsight.look(books.database, broker_url)
    restore(books)
    hindsight.look(books.database, broker_url)

    assert hindsight.trust(books.database, broker_url)
    assert not hindsight.trust(books.database, broker_url)

    newest = sent(books)
    assert hindsight.look(books.database, broker_url)
    assert (switch(books), gauges.newest(broker_url)) == (None, newest)


def test_a_broker_that_lost_its_memory_tells_nothing(books: Books, broker_url: str) -> None:
    sent(books)
    restore(books)

    assert hindsight.look(books.database, broker_url)
    assert (switch(books), gauges.newest(broker_url)) == (None, None)


def test_what_a_person_paused_stays_paused_when_the_books_are_trusted(
    books: Books, broker_url: str
) -> None:
    with db.writing(books.database) as connection:
        rests.stop_everything(connection)

    hindsight.trust(books.database, broker_url)

    assert switch(books) == "a person paused everything"


def test_books_are_not_trusted_while_the_broker_would_find_them_old_again(books: Books) -> None:
    hindsight.distrust(books.database)

    for deed in (hindsight.look, hindsight.trust):
        with pytest.raises(DarkroomError, match="broker does not answer"):
            deed(books.database, NOWHERE)

    assert switch(books) == rests.BOOKS_ARE_OLD


def test_a_person_who_resumes_everything_trusts_the_books(
    books: Books, broker_url: str, database_url: str, tmp_path: Path
) -> None:
    sent(books)
    hindsight.look(books.database, broker_url)
    restore(books)
    hindsight.look(books.database, broker_url)
    settings = Settings(home=tmp_path, database_url=database_url, broker_url=broker_url)
    with Darkroom(settings) as room:
        assert room.resume_all()
        assert not room.resume_all()

    assert hindsight.look(books.database, broker_url)
    assert switch(books) is None


def test_an_attempt_that_ended_is_remembered_as_well(books: Books, broker_url: str) -> None:
    books.submit(1)
    claims = books.take()
    books.end(claims, AttemptState.DELIVERED, charge=7)

    hindsight.look(books.database, broker_url)

    assert gauges.newest(broker_url) == claims[0].attempt_id
