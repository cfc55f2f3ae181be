from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from darkroom import db
from darkroom.errors import NotFound
from darkroom.models import Run, RunState, Schedule
from darkroom.schedules import books, fires
from darkroom.schedules.due import take_due
from darkroom.schedules.entry import RunEntry
from darkroom.schedules.file import Applied
from darkroom.schedules.terms import Terms

NIGHT = datetime(2027, 3, 1, 0, 30, tzinfo=UTC)  # 01:30 in Berlin
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

Nights = Callable[..., "Calls"]


class Calls:
    """A schedule that fires at 01:30 in Berlin, applied the noon before NIGHT."""

    def __init__(self, database: Engine, **terms: Any) -> None:
        self.database = database
        told = {"name": "n", "cron": "30 1 * * *", "timezone": "Europe/Berlin"}
        known = Terms.model_validate(told | {"source": {"manifest": "a.csv"}} | terms)
        with db.writing(database) as connection:
            books.apply(connection, Applied(known, Path("n.toml"), Path("/")))
            noon = NIGHT - timedelta(hours=13)
            connection.execute(update(Schedule).values(looked_until=noon))

    def note(self, now: datetime) -> list[RunEntry]:
        return db.transact(self.database, lambda c: fires.note(c, "n", now))

    def take(self, who: str, now: datetime) -> list[RunEntry]:
        return db.transact(self.database, lambda c: take_due(c, "n", who, 30, now, 9))

    def end(self, run: RunEntry, state: RunState) -> bool:
        return db.transact(self.database, lambda c: books.end(c, run, state, "why"))

    def states(self) -> list[str]:
        with db.reading(self.database) as connection:
            found = books.runs(connection, books.entry(connection, "n").id)
        return [run.state.value for run in reversed(found)]


@pytest.fixture
def nights(database: Engine) -> Nights:
    return lambda **terms: Calls(database, **terms)


def test_two_beats_at_once_make_one_run_of_each_fire_and_one_of_them_begins_it(
    nights: Nights,
) -> None:
    calls, together = nights(), threading.Barrier(4)

    def beat(who: str) -> tuple[int, int]:
        together.wait()
        written = calls.note(NIGHT + MINUTE)
        return len(written), len(calls.take(who, NIGHT + MINUTE))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(beat, "abcd"))

    assert sum(written for written, _ in found) == 1
    assert sum(taken for _, taken in found) == 1
    assert calls.states() == ["working"]


def test_a_clock_that_is_put_back_fires_nothing_twice(nights: Nights) -> None:
    calls = nights()
    calls.note(NIGHT + MINUTE)

    assert calls.note(NIGHT - DAY) == calls.note(NIGHT + MINUTE) == []


def test_after_downtime_the_last_night_runs_and_the_others_say_why_not(nights: Nights) -> None:
    calls = nights(catchup="30h")

    written = calls.note(NIGHT + 3 * DAY + timedelta(hours=2))

    assert calls.states() == ["missed", "missed", "skipped", "waiting"]
    assert "came in its place" in str(written[2].reason)
    assert "no scheduler ticked" in str(written[0].reason)


def test_a_night_that_is_past_its_window_is_missed_and_can_be_filled_in(nights: Nights) -> None:
    calls = nights(catchup="1h")
    (missed,) = calls.note(NIGHT + timedelta(hours=2))

    with db.writing(calls.database) as connection:
        again = books.again(connection, missed.schedule_id, missed.fire_at)

    assert (missed.state, again) == (RunState.MISSED, True)
    assert calls.states() == ["waiting"]


def test_a_fire_that_is_written_down_already_is_not_written_again(nights: Nights) -> None:
    calls = nights(catchup="1h")
    (missed,) = calls.note(NIGHT + timedelta(hours=2))

    with db.writing(calls.database) as connection:
        assert not books.add(connection, missed)


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        ("skip", ["working", "skipped", "skipped"]),
        ("buffer_one", ["working", "waiting", "skipped"]),
        ("allow", ["working", "working", "working"]),
    ],
)
def test_a_run_beside_another_does_as_the_overlap_says(
    nights: Nights, overlap: str, states: list[str]
) -> None:
    calls = nights(overlap=overlap)

    for day in range(3):
        calls.note(NIGHT + day * DAY)
        calls.take("a", NIGHT + day * DAY)

    assert calls.states() == states


def test_a_buffered_run_begins_when_the_one_before_it_is_over(nights: Nights) -> None:
    calls = nights(overlap="buffer_one")
    calls.note(NIGHT)
    (first,) = calls.take("a", NIGHT)
    calls.note(NIGHT + DAY)
    assert calls.take("b", NIGHT + DAY) == []

    calls.end(first, RunState.DONE)

    assert len(calls.take("b", NIGHT + DAY)) == 1


def test_jitter_puts_a_run_off_by_less_than_it_says_and_alike_for_all(nights: Nights) -> None:
    calls = nights(jitter="5m")

    (run,) = calls.note(NIGHT)

    assert NIGHT <= run.due_at < NIGHT + 5 * MINUTE
    assert calls.take("a", run.due_at - timedelta(milliseconds=1)) == []
    assert len(calls.take("a", run.due_at)) == 1


def test_a_run_whose_scheduler_is_silent_is_begun_again_by_another(nights: Nights) -> None:
    calls = nights()
    calls.note(NIGHT)
    (run,) = calls.take("a", NIGHT)
    assert calls.take("b", NIGHT) == []
    with db.writing(calls.database) as connection:
        past = datetime(2026, 1, 1, tzinfo=UTC)
        connection.execute(update(Run).values(worked_until=past))

    taken = calls.take("b", NIGHT)

    assert [each.id for each in taken] == [run.id]
    with db.writing(calls.database) as connection:
        assert not books.stay(connection, run.id, "a", 30)
        assert not books.submitted(connection, run.id, "a", "job", None)


def test_failures_in_a_row_pause_a_schedule_and_one_that_is_done_ends_the_row(
    nights: Nights,
) -> None:
    calls = nights(pause_after_failures=2, overlap="allow")
    ends = [RunState.FAILED, RunState.DONE, RunState.FAILED, RunState.FAILED]

    for day, state in enumerate(ends):
        (run,) = calls.note(NIGHT + day * DAY)
        assert calls.end(run, state)
        assert not calls.end(run, state)
    (after,) = calls.note(NIGHT + 4 * DAY)

    assert after.state is RunState.SKIPPED
    assert after.reason == "the schedule is paused: 2 runs failed in a row"


def test_a_schedule_that_is_applied_again_as_it_is_changes_nothing(nights: Nights) -> None:
    calls = nights()
    calls.note(NIGHT)

    with db.writing(calls.database) as connection:
        entry = books.entry(connection, "n")
        same = books.apply(connection, Applied(entry.terms, Path("n.toml"), Path("/")))
        kept = books.entry(connection, "n").looked_until

    assert (same, kept) == ("unchanged", NIGHT)


def test_one_that_is_removed_fires_no_more_and_what_was_begun_goes_on(nights: Nights) -> None:
    calls = nights()
    calls.note(NIGHT)
    calls.take("a", NIGHT)
    with db.writing(calls.database) as connection:
        books.remove(connection, books.entry(connection, "n").id)

    with pytest.raises(NotFound):
        calls.note(NIGHT + DAY)
    with db.writing(calls.database) as connection:
        connection.execute(update(Run).values(worked_until=datetime(2026, 1, 1, tzinfo=UTC)))
    assert len(calls.take("b", NIGHT)) == 1
