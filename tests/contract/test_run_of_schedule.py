"""What a run's source gives, and how its job is followed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, update

from darkroom import db
from darkroom.draft import Choices
from darkroom.models import AttemptState, Job, Run, RunState
from darkroom.registry import Registry
from darkroom.schedules import books as schedule_books
from darkroom.schedules import fires
from darkroom.schedules.calendar import Fire
from darkroom.schedules.entry import Entry, RunEntry
from darkroom.schedules.file import Applied
from darkroom.schedules.follow import Follower
from darkroom.schedules.gather import Gatherer
from darkroom.schedules.terms import Terms
from darkroom.settings import GCS, Settings
from darkroom.storage.gcs import connect
from darkroom_manifests.row import Row

if TYPE_CHECKING:
    from tests.conftest import ObjectStorage
    from tests.contract.conftest import Books

DAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)


def applied(database: Engine, **terms: Any) -> Entry:
    told = {"name": "n", "cron": "30 1 * * *", "timezone": "UTC"}
    known = Terms.model_validate(told | {"source": {"manifest": "a.csv"}} | terms)
    with db.writing(database) as connection:
        schedule_books.apply(connection, Applied(known, Path("n.toml"), Path("/")))
        return schedule_books.entry(connection, "n")


def begun(books: Books, entry: Entry, job_id: str) -> str:
    """A run that is that job."""
    run = fires.made(entry, Fire(NOW, NOW), "cron", RunState.SUBMITTED)
    with db.writing(books.database) as connection:
        schedule_books.add(connection, run)
        connection.execute(update(Run).values(job_id=job_id))
    return run.id


def looked_at(books: Books, run_id: str, now: datetime = NOW) -> RunEntry:
    follower = Follower(Settings(), Registry.load())
    with db.writing(books.database) as connection:
        follower.look(connection, schedule_books.run(connection, run_id), now)
        return schedule_books.run(connection, run_id)


def test_the_circuit_breaker_pauses_a_job_of_which_too_much_fails(books: Books) -> None:
    breaker = {"failed_ratio": 0.5, "min_items": 4}
    entry = applied(books.database, circuit_breaker=breaker)
    job_id = books.submit(10)
    run_id = begun(books, entry, job_id)
    claims = books.take(6)
    books.end(claims[:3], AttemptState.INVALID)
    assert looked_at(books, run_id).state is RunState.SUBMITTED

    books.end(claims[3:4], AttemptState.INVALID)
    run = looked_at(books, run_id)

    assert run.state is RunState.FAILED
    assert "circuit breaker: 4 of 4 images" in str(run.reason)
    with db.reading(books.database) as connection:
        assert connection.execute(Job.__table__.select()).one().paused


def test_a_run_of_which_no_image_came_has_failed(books: Books) -> None:
    entry = applied(books.database)
    run_id = begun(books, entry, books.submit(2))
    books.end(books.take(), AttemptState.INVALID)

    run = looked_at(books, run_id)

    assert (run.state, run.reason) == (RunState.FAILED, "2 of 2 images were refused or failed")


def test_at_the_deadline_what_was_not_sent_is_dropped_if_it_says_so(books: Books) -> None:
    entry = applied(books.database, deadline="07:30", on_deadline={"action": "stop"})
    run_id = begun(books, entry, books.submit(3))
    before = looked_at(books, run_id, NOW.replace(hour=7, minute=29))
    assert before.reason is None

    looked_at(books, run_id, NOW.replace(hour=7))
    looked_at(books, run_id, NOW.replace(hour=7, minute=30))
    run = looked_at(books, run_id, NOW.replace(hour=7, minute=31))

    assert (run.state, run.reason) == (RunState.DONE, "07:30 is past: stop; 3 were cancelled")


def test_a_manifest_in_a_bucket_is_found_by_its_date(
    object_storage: ObjectStorage, tmp_path: Path, database: Engine
) -> None:
    bucket = object_storage.new_bucket()
    client, name, _ = connect(bucket, GCS())
    client.bucket(name).blob("feeds/2026-11-26.csv").upload_from_string("id,prompt\na,A lamp\n")
    entry = applied(database, source={"manifest": f"{bucket}/feeds/{{date}}.csv"})

    manifest = Gatherer(entry, Settings(), Choices(), tmp_path).gather(DAY)

    (row,) = manifest.rows()
    assert isinstance(row, Row)
    assert row.prompt == "A lamp"
    assert manifest.source == f"{bucket}/feeds/2026-11-26.csv"


@pytest.mark.parametrize("given", ["[{'id': 'a', 'prompt': 'A lamp'}]", "'rows.csv'"])
def test_a_function_gives_rows_or_a_path(tmp_path: Path, given: str, database: Engine) -> None:
    module = f"feed_{abs(hash(given))}"
    (tmp_path / f"{module}.py").write_text(f"def rows():\n    return {given}\n", encoding="utf-8")
    (tmp_path / "rows.csv").write_text("id,prompt\na,A lamp\n", encoding="utf-8")
    terms = applied(database, source={"python": f"{module}:rows"}).terms
    with db.writing(database) as connection:
        schedule_books.apply(connection, Applied(terms, Path("n.toml"), tmp_path))
        entry = schedule_books.entry(connection, "n")

    manifest = Gatherer(entry, Settings(), Choices(), tmp_path / "place").gather(DAY)

    assert [row.prompt for row in manifest.rows() if isinstance(row, Row)] == ["A lamp"]
