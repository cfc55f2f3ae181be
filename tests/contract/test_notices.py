"""What is to be told is found once, written once, and in one hand at a time."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, update

from darkroom import db
from darkroom.errors import NotFound
from darkroom.event import Event, EventName
from darkroom.jobs import control
from darkroom.models import AttemptState, DeliveryState, Job, Notice, Run, RunState
from darkroom.notices import Listed, Lookout, Verdict, outbox
from darkroom.notices.carrying import Carrier
from darkroom.schedules import books as schedule_books
from darkroom.schedules import fires
from darkroom.schedules.calendar import Fire
from darkroom.schedules.file import Applied
from darkroom.schedules.terms import Terms
from darkroom.settings import Budget, Notices, Settings

if TYPE_CHECKING:
    from tests.contract.conftest import Books

ALL = frozenset(EventName)
FIRE = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)


class Ear:
    """A receiver that answers as it is told to."""

    def __init__(self, *verdicts: Verdict) -> None:
        self._verdicts = list(verdicts)
        self.heard: list[Event] = []

    def tell(self, event: Event, body: str) -> Verdict:
        assert json.loads(body)["type"] == event.type
        self.heard.append(event)
        return self._verdicts.pop(0) if self._verdicts else Verdict.sent()


def lookout(database: Engine, **rules: Any) -> Lookout:
    return Lookout(database, Notices.model_validate(rules), {"ops": ALL})


def carrier(database: Engine, ear: Ear, **rules: Any) -> Carrier:
    settings = Settings.model_validate({"notices": rules})
    return Carrier(database, "ops", ear, settings)


def listed(database: Engine) -> list[Listed]:
    with db.reading(database) as connection:
        return outbox.listed(connection, 999)


def told(database: Engine) -> dict[str, list[dict[str, Any]]]:
    """The data of all notices, by event."""
    found: dict[str, list[dict[str, Any]]] = {}
    with db.reading(database) as connection:
        query = Notice.__table__.select().where(Notice.subject != "began")
        for row in connection.execute(query):
            document = json.loads(row.body)
            found.setdefault(document["type"], []).append(document["data"])
    return found


def finished(books: Books, good: int, bad: int = 0) -> str:
    """A job that came to its end."""
    job_id = books.submit(good + bad)
    claims = books.take(good + bad)
    books.end(claims[:good], AttemptState.DELIVERED, charge=7)
    books.end(claims[good:], AttemptState.INVALID)
    return job_id


def test_however_many_look_at_once_each_event_is_written_once(books: Books) -> None:
    ids = {finished(books, 1) for _ in range(5)}
    together = threading.Barrier(4)

    def look(_number: int) -> int:
        one = lookout(books.database)
        together.wait()
        return one.look() + one.look()

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(look, range(4)))

    assert sum(written) == 5
    assert {one.job_id for one in listed(books.database)} == ids
    assert len(listed(books.database)) == 5


def test_a_job_that_lost_too_many_images_is_told_as_failed(books: Books) -> None:
    finished(books, 3)
    few, many = finished(books, 9, 1), finished(books, 1, 1)

    lookout(books.database, failed_above=0.2).look()

    found = told(books.database)
    assert len(found["job.finished"]) == 2
    assert few in {data["job"]["id"] for data in found["job.finished"]}
    (failed,) = found["job.failed"]
    assert failed["job"]["id"] == many
    assert (failed["job"]["done"], failed["job"]["failed"]) == (1, 1)
    assert (failed["job"]["spent_nusd"], failed["job"]["spent_usd"]) == (7, "0.000000007")


def test_a_job_that_is_tried_again_is_told_again(books: Books) -> None:
    job_id, one = finished(books, 0, 1), lookout(books.database)
    one.look()
    one.look()
    with db.writing(books.database) as connection:
        control.retry(connection, job_id, list(control.RETRIABLE))
    one.look()
    books.end(books.take(), AttemptState.DELIVERED)
    one.look()

    found = told(books.database)
    assert {name: len(data) for name, data in found.items()} == {"job.failed": 1, "job.finished": 1}


def test_a_job_whose_cap_is_met_is_told_as_held_and_again_with_another_cap(books: Books) -> None:
    job_id, one = books.submit(3, reserve=10, cap=10), lookout(books.database)
    books.end(books.take(), AttemptState.DELIVERED, charge=10)
    books.take()
    one.look()
    one.look()
    with db.writing(books.database) as connection:
        control.set_cap(connection, job_id, 20)
        control.resume(connection, job_id)
    books.end(books.take(), AttemptState.DELIVERED, charge=10)
    books.take()
    one.look()

    found = told(books.database)
    assert [data["reason"] for data in found["job.held"]] == ["cap", "cap"]
    assert [data["cap_nusd"] for data in found["budget.80"]] == [10, 20]
    assert [data["job"]["id"] for data in found["budget.80"]] == [job_id, job_id]
    assert f"darkroom job resume {job_id}" in found["job.held"][0]["commands"]


def test_a_day_is_told_at_four_fifths_of_its_cap_and_not_before(books: Books) -> None:
    one, budget = lookout(books.database), Budget.model_validate({"per_day": "0.0000001"})
    books.submit(3, reserve=10)
    books.end(books.take(1, budget=budget), AttemptState.DELIVERED, charge=79)
    one.look()
    before = told(books.database)
    books.end(books.take(1, budget=budget), AttemptState.DELIVERED, charge=1)

    one.look()

    assert "budget.80" not in before
    (data,) = told(books.database)["budget.80"]
    assert (data["scope"], data["cap_nusd"], data["spent_nusd"]) == ("day", 100, 80)


def a_run(books: Books, state: RunState, job_id: str | None = None, **more: Any) -> str:
    said = {"name": "n", "cron": "30 1 * * *", "timezone": "UTC", "source": {"manifest": "a.csv"}}
    terms = Terms.model_validate(said | more)
    with db.writing(books.database) as connection:
        schedule_books.apply(connection, Applied(terms, Path("n.toml"), Path("/")))
        entry = schedule_books.entry(connection, "n")
        run = fires.made(entry, Fire(FIRE, FIRE), "cron", RunState.SUBMITTED)
        schedule_books.add(connection, run)
        own = {"state": state, "job_id": job_id, "finished_at": db.now(connection)}
        connection.execute(update(Run).values(**own))
        if job_id is not None:
            key = {"idempotency_key": run.key}
            connection.execute(update(Job).where(Job.id == job_id).values(**key))
    return run.id


def test_a_run_is_told_by_one_digest_and_its_job_is_not(books: Books) -> None:
    job_id = finished(books, 2, 25)
    run_id = a_run(books, RunState.DONE, job_id)

    one = lookout(books.database)
    one.look()
    one.look()

    found = told(books.database)
    assert set(found) == {"schedule.run"}
    (digest,) = found["schedule.run"]
    assert (digest["run"], digest["schedule"], digest["local_date"]) == (run_id, "n", "2026-11-26")
    assert (digest["job"]["done"], digest["job"]["failed"]) == (2, 25)
    assert [row["id"] for row in digest["failed_rows"]] == [f"r{number}" for number in range(2, 22)]


@pytest.mark.parametrize("state", [RunState.DONE, RunState.MISSED])
def test_a_schedule_that_names_targets_has_only_these_told_and_hooks(
    books: Books, state: RunState
) -> None:
    a_run(books, state, notify=["apprise:ops"])
    wants = {"ops": frozenset({EventName.JOB_HELD}), "shop": ALL, "hook:mine": ALL}

    Lookout(books.database, Notices(), wants).look()

    assert {one.target for one in listed(books.database)} == {"ops", "hook:mine"}


def test_a_run_that_was_missed_is_told(books: Books) -> None:
    run_id = a_run(books, RunState.MISSED)

    lookout(books.database).look()

    ((data,),) = told(books.database).values()
    assert (data["run"], data["state"]) == (run_id, "missed")


def test_what_happened_long_before_anybody_looked_is_not_told(books: Books) -> None:
    finished(books, 1)
    held = books.submit(1)
    with db.writing(books.database) as connection:
        long_ago = db.now(connection) - timedelta(days=2)
        control.hold(connection, [2], "approval")
        old = {"finished_at": long_ago, "served_at": long_ago, "loaded_at": long_ago}
        connection.execute(update(Job).where(Job.id != held).values(**old))
        connection.execute(update(Job).where(Job.id == held).values(loaded_at=long_ago))

    lookout(books.database).look()

    assert told(books.database) == {}


def test_a_letter_is_in_one_hand_until_its_lease_ends(books: Books) -> None:
    finished(books, 1)
    lookout(books.database).look()

    def take(seconds: float) -> outbox.Letter | None:
        return db.transact(books.database, lambda c: outbox.take(c, "ops", seconds))

    first, second = take(60), take(60)
    assert first is not None
    assert second is None
    with db.writing(books.database) as connection:
        outbox.again(connection, first, 0, "away")

    third = take(60)

    assert third is not None
    assert (third.notice_id, third.tries) == (first.notice_id, 2)
    with db.writing(books.database) as connection:
        outbox.again(connection, first, 0, "too late to say so")
    assert take(60) is None


def test_many_carriers_bring_each_letter_once(books: Books) -> None:
    for _ in range(12):
        finished(books, 1)
    lookout(books.database).look()
    ear, together = Ear(), threading.Barrier(4)

    def carry(_number: int) -> None:
        one = carrier(books.database, ear)
        together.wait()
        while one.deliver():
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(carry, range(4)))
    carry_rest = carrier(books.database, ear)
    while carry_rest.deliver():
        pass

    assert len(ear.heard) == len({event.id for event in ear.heard}) == 12
    assert {one.state for one in listed(books.database)} == {DeliveryState.SENT}


def test_a_notice_is_tried_at_the_times_of_the_settings_and_then_given_up(books: Books) -> None:
    finished(books, 1)
    lookout(books.database).look()
    ear = Ear(*[Verdict.again("away, key=AIzaSyD-1234567890abcdefghijklmnopqrstuv")] * 9)
    one = carrier(books.database, ear, retry_seconds=[0, 500])

    def state() -> Listed:
        (found,) = listed(books.database)
        return found

    assert one.deliver()
    assert one.deliver()
    assert not one.deliver()
    waiting = state()
    assert waiting.next_at is not None
    assert timedelta(seconds=400) < waiting.next_at - books.now() <= timedelta(seconds=500)
    assert waiting.last_error == "away, key=[hidden]"
    assert db.transact(books.database, lambda c: outbox.send_again(c, waiting.id[-8:])) == (
        waiting.id,
        1,
    )
    assert [one.deliver(), one.deliver(), one.deliver()] == [True, True, False]


def test_after_the_last_try_a_notice_is_given_up_until_a_person_says_otherwise(
    books: Books,
) -> None:
    finished(books, 1)
    lookout(books.database).look()
    one = carrier(books.database, Ear(Verdict.again("away"), Verdict.never("gone")))
    none_left = carrier(books.database, Ear(Verdict.again("away")), retry_seconds=[])

    none_left.deliver()
    (given_up,) = listed(books.database)
    db.transact(books.database, lambda c: outbox.send_again(c, given_up.id))
    again = carrier(books.database, Ear())
    again.deliver()

    assert given_up.state is DeliveryState.GIVEN_UP
    (sent,) = listed(books.database)
    assert (sent.state, sent.tries, sent.last_error) == (DeliveryState.SENT, 1, None)
    assert not one.deliver()
    with pytest.raises(NotFound):
        db.transact(books.database, lambda c: outbox.send_again(c, "ntc_nowhere"))


def test_a_target_is_told_only_what_it_wants(books: Books) -> None:
    finished(books, 1)
    wants = {"ops": frozenset({EventName.JOB_HELD}), "shop": frozenset({EventName.JOB_FINISHED})}

    Lookout(books.database, Notices(), wants).look()

    assert [one.target for one in listed(books.database)] == ["shop"]
