"""Takes one file in, from the working shelf to a job or to the shelf of failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection

from darkroom import db
from darkroom.client import Darkroom, Job
from darkroom.inbox import books, names, paper
from darkroom.inbox.inbox import Drop, Inbox
from darkroom.inbox.leaving import Leaving
from darkroom.inbox.place import Changing, Copy, Place, Refusal, Shelf
from darkroom.inbox.terms import with_side
from darkroom.inbox.verdict import Refused, judge
from darkroom.killpoints import Point, come_past
from darkroom.models import DropState

_log = structlog.get_logger(__name__)

_MOST_TRIES: Final = 3


class Intake:
    """Takes in the files of one inbox. Each step may be done again after a crash."""

    def __init__(self, room: Darkroom, inbox: Inbox, place: Place) -> None:
        self._room = room
        self._inbox = inbox
        self._place = place
        self._leaving = Leaving(room, inbox, place)
        self._changing: dict[str, tuple[str, float]] = {}
        self._copies = room.settings.home / "inbox"

    def take(self, drop: Drop) -> str | None:
        """Move a file that is written down to the working shelf; gives its name there."""
        report = paper.report(self._inbox, drop, DropState.CLAIMED)
        kept = self._place.reserve(Shelf.WORKING, drop.name, drop.id, report)
        if self._place.take(drop.name, drop.stamp or "", kept):
            come_past(Point.TAKEN, drop.id)
            return kept
        self._place.forget(kept)
        self._write(lambda connection: books.unclaim(connection, drop))
        return None

    def take_in(self, drop: Drop, kept: str) -> None:
        """Read a file and judge it."""
        if drop.tries > _MOST_TRIES:
            said = f"It could not be judged {_MOST_TRIES} times; the scheduler's log says more."
            self._refuse(drop, kept, Refused(said, "`darkroom check` it, then drop it again."))
            return
        self._copies.mkdir(parents=True, exist_ok=True)
        copy = self._copies / f"{drop.id}{names.kind_of(drop.name)}"
        try:
            self._read(drop, kept, copy)
        finally:
            copy.unlink(missing_ok=True)

    def _read(self, drop: Drop, kept: str, copy: Path) -> None:
        most = self._room.settings.inbox.max_bytes
        match self._place.fetch(kept, self._stamp(drop), copy, most):
            case None:
                self._gone(drop, kept)
            case Refusal(message, hint):
                self._refuse(drop, kept, Refused(message, hint))
            case Changing(stamp):
                self._wait(drop, stamp)
            case Copy(sha256=sha256):
                self._changing.pop(drop.id, None)
                self._judge(drop, kept, copy, sha256)

    def _stamp(self, drop: Drop) -> str | None:
        """What a file must be like to be read: as it was taken, or as it has been for a while."""
        stamp, since = self._changing.get(drop.id, (drop.stamp, 0.0))
        is_quiet = time.monotonic() - since >= self._place.settle_seconds
        return stamp if is_quiet else "still changing"

    def _wait(self, drop: Drop, stamp: str) -> None:
        before, _ = self._changing.get(drop.id, (None, 0.0))
        if before != stamp:
            self._changing[drop.id] = stamp, time.monotonic()
            hint = "Write to another name, and rename it when it is whole."
            _log.warning("written to after it was taken", drop=drop.id, file=drop.name, hint=hint)

    def _gone(self, drop: Drop, kept: str) -> None:
        _log.warning("a file is gone", drop=drop.id, inbox=self._inbox.url, file=drop.name)
        self._place.forget(kept)
        self._write(lambda connection: books.unclaim(connection, drop))

    def _judge(self, drop: Drop, kept: str, copy: Path, sha256: str) -> None:
        earlier = self._transact(lambda connection: books.identify(connection, drop, sha256))
        if earlier is not None:
            self._duplicate(drop, kept, earlier)
            return
        come_past(Point.IDENTIFIED, drop.id)
        terms = with_side(self._inbox.terms, self._place.side(kept))
        if isinstance(terms, str):
            said = f"{drop.name}{names.SIDE}: {terms}."
            self._refuse(drop, kept, Refused(said, "Mend it and drop both again."))
            return
        key = f"inbox:{self._inbox.id}:{sha256}"
        found = judge(self._room, self._inbox, drop, terms, copy, self._place.base, key)
        if isinstance(found, Refused):
            self._refuse(drop, kept, found)
        else:
            come_past(Point.ENTERED, drop.id)
            self._accept(drop, kept, found)

    def _accept(self, drop: Drop, kept: str, job: Job) -> None:
        self._write(lambda connection: books.accept(connection, drop, job.id, kept))
        come_past(Point.ACCEPTED, drop.id)
        word = self._leaving.tell(drop, kept, job)
        _log.info("accepted", inbox=self._inbox.url, file=drop.name, job=job.id, state=word)

    def _duplicate(self, drop: Drop, kept: str, earlier: Drop) -> None:
        if earlier.job_id is None:
            return  # it is being judged; what comes of it is not known yet
        said = f"The same content was accepted before, as {earlier.name}."
        hint = f"darkroom job show {earlier.job_id} says what became of it."
        more = {"duplicate_of": earlier.name, "job": earlier.job_id}
        self._leaving.leave(
            drop, kept, DropState.DUPLICATE, Shelf.DONE, message=said, hint=hint, more=more
        )

    def _refuse(self, drop: Drop, kept: str, why: Refused) -> None:
        problems = None if why.plan is None else self._room.problems(why.plan)
        more = {} if why.plan is None else {"rows": why.plan.rows, "rejected": why.plan.invalid}
        self._leaving.leave(
            drop,
            kept,
            DropState.FAILED,
            Shelf.FAILED,
            problems=problems,
            message=why.message,
            hint=why.hint,
            more=more,
        )
        _log.warning("refused", inbox=self._inbox.url, file=drop.name, why=why.message)

    def _write(self, work: Callable[[Connection], None]) -> None:
        db.transact(self._room.database, work)

    def _transact(self, work: Callable[[Connection], Drop | None]) -> Drop | None:
        return db.transact(self._room.database, work)
