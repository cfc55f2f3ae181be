"""Turns hours into runs, begins those that are due and follows them, in a thread beside the clock.

Any number may do so at once: a fire is one row, and a run is taken by one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.client import Darkroom
from darkroom.errors import DarkroomError, NotFound
from darkroom.ids import new_id
from darkroom.killpoints import Point, come_past
from darkroom.models import RunState
from darkroom.schedules import books, fires
from darkroom.schedules.due import take_due
from darkroom.schedules.entry import RunEntry
from darkroom.schedules.follow import Follower
from darkroom.settings import Settings
from darkroom_scheduler.schedule_child import RunChild

_log = structlog.get_logger(__name__)

_PASS_SECONDS: Final = 1.0
_MOST_TRIES: Final = 3

Now = Callable[[], datetime]


def told_by(file: Path) -> Now:
    """A clock for rehearsals: the time is what a file says."""
    return lambda: datetime.fromisoformat(file.read_text(encoding="utf-8").strip())


def wall_clock() -> datetime:
    """The time."""
    return datetime.now(UTC)


class ScheduleClock:
    """One thread. Leases go by the database's clock, fires and deadlines by `now`."""

    def __init__(self, settings: Settings, now: Now = wall_clock) -> None:
        self._settings = settings
        self._rules = settings.schedule
        self._now = now
        self._room = Darkroom(settings)
        self._follower = Follower(settings, self._room.registry)
        self._who = new_id("clock")
        self._children: list[RunChild] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End; what is being gathered begins anew at another scheduler."""
        self._stopped.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.wait(_PASS_SECONDS):
            try:
                self.tick()
            except (DBAPIError, DarkroomError, OSError) as error:
                _log.warning("a tick of the schedules failed", error=error)
        for child in self._children:
            child.end()
            self._give_back(child.run)
        self._room.close()

    def tick(self) -> None:
        """Look once at everything."""
        self._tend()
        with db.reading(self._room.database) as connection:
            names = [entry.name for entry in books.entries(connection)]
            under_way = books.open_runs(connection)
            begun = {books.owner(connection, run).name for run in under_way}
        now = self._now()
        for name in names:
            self._fire(name, now)
        for name in sorted({*names, *begun}):  # what was begun goes on, if removed or not
            self._begin(name, now)
        for run in under_way:
            if run.state is RunState.SUBMITTED:
                self._follow(run, now)

    def _follow(self, run: RunEntry, now: datetime) -> None:
        db.transact(self._room.database, lambda c: self._follower.look(c, run, now))

    def _fire(self, name: str, now: datetime) -> None:
        try:
            written = db.transact(self._room.database, lambda c: fires.note(c, name, now))
        except NotFound:  # removed since it was listed
            return
        for run in written:
            come_past(Point.FIRED, run.id)

    def _begin(self, name: str, now: datetime) -> None:
        most = self._rules.at_once - len(self._children)
        if most <= 0:
            return
        lease = self._rules.lease_seconds
        taken = db.transact(
            self._room.database, lambda c: take_due(c, name, self._who, lease, now, most)
        )
        for run in taken:
            if run.tries >= _MOST_TRIES:
                self._fail(run, f"it ended its process {run.tries} times; see the scheduler's log")
            else:
                self._children.append(RunChild(run, self._who, self._settings))

    def _tend(self) -> None:
        """See to the runs that are being done here."""
        for child in list(self._children):
            if child.is_over():
                self._children.remove(child)
                self._close(child.run, child.end())
            elif child.is_late() or not self._stay(child.run):
                self._children.remove(child)
                child.end()
                self._fail(child.run, f"it took more than {self._rules.run_seconds:g} s")

    def _stay(self, run: RunEntry) -> bool:
        lease = self._rules.lease_seconds
        return db.transact(self._room.database, lambda c: books.stay(c, run.id, self._who, lease))

    def _close(self, run: RunEntry, said: str) -> None:
        """A process that leaves its run open has crashed: another tries, a few times."""
        with db.reading(self._room.database) as connection:
            is_open = books.run(connection, run.id).state is RunState.WORKING
        if not is_open:
            return
        _log.error("a run ended its process", run=run.id, tries=run.tries + 1, said=said)
        if run.tries + 1 >= _MOST_TRIES:
            self._fail(run, f"its process ended {_MOST_TRIES} times: {said}")
        else:
            self._give_back(run)

    def _give_back(self, run: RunEntry) -> None:
        db.transact(self._room.database, lambda c: books.give_back(c, run.id, self._who))

    def _fail(self, run: RunEntry, why: str) -> None:
        who = self._who
        db.transact(self._room.database, lambda c: books.end(c, run, RunState.FAILED, why, who))
