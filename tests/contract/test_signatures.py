"""Signatures of earlier turns are removed when no turn can need them, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import insert, literal, select, update

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom.heartbeat import Heartbeat
from darkroom.jobs import signatures
from darkroom.jobs.claim import Claim
from darkroom.models import AttemptState, Render, Signature
from darkroom.models import Job as JobRow
from darkroom.queue import open_queue
from darkroom.request import Request
from darkroom.settings import Rules, Settings
from darkroom_scheduler.clock import Clock

if TYPE_CHECKING:
    from tests.contract.conftest import Books

SIGNED = '[{"text":"signed"}]'
PRICE = 100_000_000
NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    told |= {"storage_url": "/place", "budget": {"confirm_above": "100000", "per_day": "none"}}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made
        assert audit(made.database, made.settings.home) == []


def turns(*prompts: str) -> list[dict[str, object]]:
    return [{"id": "x", "turns": list(prompts)}]


def end(books: Books, times: int) -> None:
    """Deliver one turn after the other; a worker keeps what is signed where another follows."""
    for _ in range(times):
        (claim,) = books.take()
        signed = SIGNED if asked(claim).is_continued else None
        books.end([claim], AttemptState.DELIVERED, charge=PRICE, signed=signed)


def asked(claim: Claim) -> Request:
    return msgspec.json.decode(claim.request, type=Request)


def grow_old(books: Books, job_id: str, days: float) -> None:
    """Let a job be as if it had begun and finished so long ago."""
    with db.writing(books.database) as connection:
        moment = db.now(connection) - timedelta(days=days)
        old = {"created_at": moment, "finished_at": moment}
        connection.execute(update(JobRow).where(JobRow.id == job_id).values(old))


def kept(books: Books) -> list[int]:
    with db.reading(books.database) as connection:
        return list(connection.scalars(select(Signature.render_id).order_by(Signature.render_id)))


def forget(books: Books, after: int = -1, days: float = 30) -> int | None:
    with db.writing(books.database) as connection:
        return signatures.forget(connection, days, after)


@pytest.mark.parametrize(("days", "left"), [(31, 0), (29, 2)])
def test_those_of_a_job_that_was_finished_long_ago_are_removed(
    room: Darkroom, books: Books, days: float, left: int
) -> None:
    job = room.submit(turns("one", "two", "three"))
    end(books, 3)
    assert len(kept(books)) == 2  # nothing follows the last
    grow_old(books, job.id, days)

    assert forget(books) is None

    assert len(kept(books)) == left


def test_those_of_a_job_that_goes_on_are_kept(room: Darkroom, books: Books) -> None:
    room.submit(turns("one", "two", "three"))
    end(books, 2)

    forget(books, days=0)

    assert len(kept(books)) == 2
    end(books, 1)


def longer(room: Darkroom, books: Books) -> Job:
    """Let an old job's conversation go on in another job, which is not sent yet."""
    old = room.submit(turns("one", "two", "three"))
    end(books, 3)
    job = room.submit(turns("one", "two", "four"), hold=True)
    grow_old(books, old.id, 100)
    return job


def test_those_that_a_turn_of_a_later_job_waits_for_are_kept(room: Darkroom, books: Books) -> None:
    job = longer(room, books)

    forget(books)

    assert len(kept(books)) == 2
    job.approve()
    (claim,) = books.take()
    assert [each.signed for each in asked(claim).history] == [SIGNED, SIGNED]
    books.end([claim], AttemptState.DELIVERED, charge=PRICE)


def test_those_that_nobody_waits_for_any_more_are_removed(room: Darkroom, books: Books) -> None:
    job = longer(room, books)
    job.reject()

    forget(books)

    assert kept(books) == []


def signed(books: Books, how_many: int, days: float) -> None:
    job_id = books.submit(how_many)
    of_job = select(Render.id, literal(SIGNED)).where(Render.job_id == job_id)
    with db.writing(books.database) as connection:
        connection.execute(insert(Signature).from_select(["render_id", "parts"], of_job))
    books.end(books.take(how_many), AttemptState.DELIVERED, charge=PRICE)
    grow_old(books, job_id, days)


def test_a_thousand_are_looked_at_in_one_transaction(books: Books) -> None:
    signed(books, 1_003, 100)
    every = kept(books)

    then = forget(books)

    assert then == every[999]
    assert kept(books) == every[1_000:]
    assert forget(books, then) is None
    assert kept(books) == []


def test_what_was_stored_after_a_later_job_began_is_not_looked_at(books: Books) -> None:
    signed(books, 1_001, 1)

    assert forget(books) is None

    assert len(kept(books)) == 1_001


def test_the_clock_removes_what_the_rules_do_not_keep(room: Darkroom, books: Books) -> None:
    job = room.submit(turns("one", "two"))
    end(books, 2)
    grow_old(books, job.id, 3)
    queue, heart = open_queue(NOWHERE), Heartbeat(NOWHERE)

    for days, left in ((4, 1), (2, 0)):
        clock = Clock(room.database, queue, Rules(signature_days=days), heart)

        assert clock.air(-1) is None
        assert len(kept(books)) == left
