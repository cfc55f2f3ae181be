"""A database is restored from a backup that is older than what was paid: nothing is paid again."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.valkey import Valkey

from darkroom import Darkroom, Job, embedded
from darkroom.jobs import rests
from darkroom.restored import Comparison, compare

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]
MakeFleet = Callable[..., Fleet]

ROWS: list[dict[str, object]] = [
    {"id": f"r{number}", "prompt": f"lamp number {number}"} for number in range(6)
]


def copied(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as write:
        read.backup(write)


def test_what_was_paid_after_the_backup_is_not_paid_again(open_room: Open, bill_of: Bill) -> None:
    room = open_room()
    books = room.settings.home / "darkroom.db"
    job = room.submit(ROWS)
    copied(books, books.with_name("backup.db"))
    later = room.submit([{"id": "new", "prompt": "a vase"}])
    assert (job.wait(60).done, later.wait(60).done) == (6, 1)
    embedded.stop(room.settings.home)
    room.close()
    billed = len(bill_of(room))
    copied(books.with_name("backup.db"), books)

    comparison = compare(room.database, room.settings)
    state = job.wait(60)

    assert comparison.held == state.held == 6
    assert {violation.detail["job"] for violation in comparison.found} == {job.id, later.id}
    assert len(bill_of(room)) == billed


def restored_without_a_word(fleet: Fleet) -> Job:
    """Render a job, and bring back the books from before it; nobody compares anything."""
    books = fleet.folder / "home" / "darkroom.db"
    fleet.room.pause_all()  # or the worker may have taken some before the job is paused
    job = fleet.submit(rows(6))
    job.pause()
    fleet.room.resume_all()
    copied(books, books.with_name("backup.db"))
    job.resume()
    fleet.watch(job, 60)
    fleet.quieten()
    fleet.room.close()
    copied(books.with_name("backup.db"), books)
    job.resume()
    return job


def switch(fleet: Fleet) -> str | None:
    """Why nothing may be sent at all."""
    resting = fleet.room.rests()
    return next((rest.reason for rest in resting if rest.tier == rests.EVERY_TIER), None)


def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def compared(fleet: Fleet) -> Comparison:
    """Compare when the worker that was alive in the backup is believed to be dead."""
    ends = time.monotonic() + 60
    while not (comparison := compare(fleet.room.database, fleet.room.settings)).is_made:
        assert time.monotonic() < ends, comparison.found
        time.sleep(0.1)
    return comparison


def test_a_worker_sends_nothing_by_restored_books_until_they_were_compared(
    make_fleet: MakeFleet, valkey: Valkey
) -> None:
    # The worker ends before its next beat, so it is the first look of the next one that counts.
    fleet = make_fleet(None, valkey, workers=1)
    job = restored_without_a_word(fleet)
    billed = fleet.requests()

    fleet.revive()
    until(lambda: switch(fleet) == rests.BOOKS_ARE_OLD)
    until(lambda: fleet.said("nothing is taken"))
    fleet.quieten()
    comparison = compared(fleet)
    fleet.room.judge_books(are_whole=not comparison.found)

    assert comparison.held == job.state.held == 6
    assert switch(fleet) == rests.BOOKS_ARE_OLD
    assert fleet.requests() == billed

    assert fleet.room.resume_all()
    later = fleet.submit([{"id": "new", "prompt": "a vase"}])
    assert fleet.watch(later, 60).done == 1
    assert (fleet.requests(), switch(fleet)) == (billed + 1, None)
