"""What people ask of schedules, each thing in a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from darkroom import db
from darkroom.client import Darkroom
from darkroom.errors import ConfigInvalid
from darkroom.models import RunState
from darkroom.report import JobState, job_states
from darkroom.schedules import books, fires, publications
from darkroom.schedules.calendar import Fire
from darkroom.schedules.entry import Entry, RunEntry
from darkroom.schedules.file import Applied
from darkroom.schedules.standing import Standing, standings

_BY_A_PERSON = "a person paused it"


class Seen(msgspec.Struct, frozen=True):
    """A run and its job, if it came to one; how its images stand, if the schedule asks for it."""

    run: RunEntry
    job: JobState | None
    images: Standing | None = None


class Desk:
    """Schedules of one room. Every method raises NotFound for a name that is none."""

    def __init__(self, room: Darkroom) -> None:
        self._room = room

    def apply(self, given: Sequence[Applied]) -> list[str]:
        """Write schedules down, all or none; what each was: "new", "changed" or "unchanged".

        Raises ConfigInvalid where two would write the same manifest of published images.
        """

        def work(connection: Connection) -> list[str]:
            words = [books.apply(connection, each) for each in given]
            _require_apart(books.entries(connection))
            return words

        return db.transact(self._room.database, work)

    def all(self) -> list[tuple[Entry, Seen | None]]:
        """Every schedule, each with its last run."""
        with db.reading(self._room.database) as connection:
            found = books.entries(connection)
            return [(each, next(iter(_seen(connection, each, 1)), None)) for each in found]

    def one(self, name: str) -> Entry:
        """A schedule by name."""
        with db.reading(self._room.database) as connection:
            return books.entry(connection, name)

    def published(self, name: str) -> int:
        """Of how many rows an image lies where the schedule publishes."""
        with db.reading(self._room.database) as connection:
            return publications.count(connection, books.entry(connection, name))

    def runs(self, name: str, most: int) -> list[Seen]:
        """The last runs of a schedule, the newest first."""
        with db.reading(self._room.database) as connection:
            return _seen(connection, books.entry(connection, name), most)

    def pause(self, name: str) -> None:
        """Begin no run of it by the clock; what is a job goes on."""

        def work(connection: Connection) -> None:
            books.pause(connection, books.entry(connection, name, lock=True).id, _BY_A_PERSON)

        db.transact(self._room.database, work)

    def resume(self, name: str) -> None:
        """Fire again; what came up meanwhile is listed as skipped, and does not run."""

        def work(connection: Connection) -> None:
            fires.note(connection, name, db.now(connection))
            books.resume(connection, books.entry(connection, name).id)

        db.transact(self._room.database, work)

    def remove(self, name: str) -> None:
        """Fire no more; what is a job goes on, and the runs stay in the books."""

        def work(connection: Connection) -> None:
            books.remove(connection, books.entry(connection, name, lock=True).id)

        db.transact(self._room.database, work)

    def run(self, name: str) -> RunEntry:
        """Let it run now, whatever its overlap says, and though it is paused."""

        def work(connection: Connection) -> RunEntry:
            entry = books.entry(connection, name, lock=True)
            now = db.now(connection)
            fire = Fire(now, now.astimezone(entry.terms.calendar().zone))
            made = fires.made(entry, fire, "person", RunState.WAITING)
            books.add(connection, made)
            return made

        return db.transact(self._room.database, work)

    def backfill(self, name: str, begins: datetime, ends: datetime) -> list[Fire]:
        """Let it run for every fire from one moment to another that has no job; one at a time."""

        def work(connection: Connection) -> list[Fire]:
            entry = books.entry(connection, name, lock=True)
            last = min(ends, datetime.now(UTC))
            found = list(fires.between(entry, begins, last))
            return [fire for fire in found if _fill(connection, entry, fire)]

        return db.transact(self._room.database, work)


def _fill(connection: Connection, entry: Entry, fire: Fire) -> bool:
    run = fires.made(entry, fire, "backfill", RunState.WAITING)
    return books.add(connection, run) or books.again(connection, entry.id, fire.at)


def _require_apart(entries: Sequence[Entry]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for entry in entries:
        publish = entry.terms.publish
        if publish is None or publish.manifest is None:
            continue
        owner = owners.setdefault((entry.place or "", publish.manifest), entry.name)
        if owner != entry.name:
            said = f"{owner} and {entry.name} would both write {publish.manifest} in {entry.place}."
            raise ConfigInvalid(said, hint="Give one of them another publish.manifest.")


def _seen(connection: Connection, entry: Entry, most: int) -> list[Seen]:
    found = books.runs(connection, entry.id, most)
    ids = [run.job_id for run in found if run.job_id is not None]
    jobs = {job.id: job for job in job_states(connection, ids)} if ids else {}
    images = _standings(connection, entry, found)
    return [Seen(run, jobs.get(run.job_id or ""), images.get(run.id)) for run in found]


def _standings(
    connection: Connection, entry: Entry, found: Sequence[RunEntry]
) -> dict[str, Standing]:
    ids = [run.id for run in found if run.job_id is not None]
    if not ids or not (entry.terms.review or entry.terms.publish):
        return {}
    return dict.fromkeys(ids, Standing()) | standings(connection, entry.terms, entry.id, ids)
