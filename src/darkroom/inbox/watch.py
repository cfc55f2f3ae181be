"""Watches one inbox: one round after the other, each of which may be the first after a crash."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from darkroom import db
from darkroom.client import Darkroom
from darkroom.errors import StorageFault
from darkroom.inbox import books
from darkroom.inbox.inbox import Drop, Inbox
from darkroom.inbox.intake import Intake
from darkroom.inbox.leaving import Leaving
from darkroom.inbox.place import Place, Seen
from darkroom.inbox.settling import Settling
from darkroom.killpoints import Point, come_past

_log = structlog.get_logger(__name__)

_NO_FAULT_OF_ITS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_AGAIN_SECONDS: Final = 1.0  # until a file is judged again that could not be
_AT_ONCE: Final = 64  # files a round, so that other inboxes and a TERM are not kept waiting


class Watch:
    """The watch of one inbox, as long as one process has it. `is_stopped` ends a round early."""

    def __init__(
        self,
        room: Darkroom,
        inbox: Inbox,
        place: Place,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._room = room
        self.inbox = inbox
        self._place = place
        self._is_stopped = is_stopped
        self.intake = Intake(room, inbox, place)
        self._leaving = Leaving(room, inbox, place)
        self._settling = Settling(place.settle_seconds, place.is_ended)
        self._own: set[str] = set()
        self.trouble: str | None = None
        self.taken = 0

    def round(self) -> float | None:
        """Take in what is whole, let go what has ended; in how many seconds there is more to do.

        None: when something happens. What keeps the place from being read is logged and written
        down once, with a remedy, until it is over.
        """
        try:
            wait = self._round()
        except StorageFault as fault:
            self._say(fault)
            return None
        self._say(None)
        return wait

    def _round(self) -> float | None:
        self._go_on()
        if self.inbox.removed_at is not None:
            self._let_go()
            return None
        settled = self._settling.settled(self._place.look(), time.monotonic())
        ready = list(islice(settled, _AT_ONCE + 1))
        self._take(ready[:_AT_ONCE])
        self._let_go()  # last: where nothing is to be made, a job has ended when it is submitted
        if len(ready) > _AT_ONCE:
            return 0.0
        due = self._settling.due
        waits = [] if due is None else [max(0.0, due - time.monotonic())]
        if self._claimed():
            waits.append(_AGAIN_SECONDS)
        return min(waits, default=None)

    def _claimed(self) -> list[Drop]:
        with db.reading(self._room.database) as connection:
            return books.claimed(connection, self.inbox.id)

    def _take(self, ready: list[Seen]) -> None:
        """Write the files down, all in one transaction, then take them in one by one."""
        if not ready or self._is_stopped():
            return
        drops = db.transact(self._room.database, lambda c: books.claim(c, self.inbox.id, ready))
        for drop in drops:
            self._own.add(drop.id)
            come_past(Point.DROPPED, drop.id)
        for drop in drops:
            if self._is_stopped():
                return
            if (kept := self.intake.take(drop)) is not None:
                self.taken += 1
                self._take_in(drop, kept)

    def _go_on(self) -> None:
        """Go on with files that were taken and not judged: by a dead watcher, or not to be yet."""
        for drop in self._claimed():
            if self._is_stopped():
                return
            if drop.id not in self._own:
                self._own.add(drop.id)
                drop = self._tried(drop)  # noqa: PLW2901  # the same, once more
            if (kept := self.intake.take(drop)) is not None:
                self._take_in(drop, kept)

    def _tried(self, drop: Drop) -> Drop:
        return db.transact(self._room.database, lambda c: books.add_try(c, drop))

    def _take_in(self, drop: Drop, kept: str) -> None:
        """Take a file in; one that brings out a defect does not keep the others waiting."""
        try:
            self.intake.take_in(drop, kept)
        except (StorageFault, OperationalError, InterfaceError):
            raise
        except Exception as error:  # whatever it is, the other files go on
            if isinstance(error, OSError) and error.errno in _NO_FAULT_OF_ITS:
                raise
            _log.exception("a defect", inbox=self.inbox.url, file=drop.name, drop=drop.id)
            self._own.discard(drop.id)  # it is tried again, and counted

    def _let_go(self) -> None:
        """Finish the reports of files whose job has ended, or is held no more."""
        with db.reading(self._room.database) as connection:
            ended = books.to_tell(connection, self.inbox.id, _AT_ONCE)
        for drop, finished_at in ended:
            if self._is_stopped():
                return
            kept = drop.kept or drop.name
            if finished_at is not None:
                self._leaving.finish(drop, kept)
            else:
                self._leaving.tell(drop, kept, self._room.job(drop.job_id or ""))

    def _say(self, fault: StorageFault | None) -> None:
        said = None if fault is None else f"{fault.message} {fault.hint or ''}".strip()
        if said is not None and said != self.trouble:
            _log.warning("an inbox cannot be watched", inbox=self.inbox.url, why=said)
        self.trouble = said
        db.transact(self._room.database, lambda c: books.looked(c, self.inbox.id, said))
