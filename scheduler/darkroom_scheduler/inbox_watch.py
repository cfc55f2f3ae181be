"""Watches the inboxes that nobody else watches, in a thread beside the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.client import Darkroom
from darkroom.errors import DarkroomError
from darkroom.ids import new_id
from darkroom.inbox import Inbox, Watch, books, open_place
from darkroom.settings import Settings
from darkroom_scheduler.inbox_events import Events

_log = structlog.get_logger(__name__)

_PASS_SECONDS: Final = 1.0
_RENEWALS: Final = 3  # a lease


class _Held:
    """An inbox that this process watches, and when to look at it next."""

    def __init__(self, inbox: Inbox, watch: Watch, events: Events | None) -> None:
        self.inbox = inbox
        self.watch = watch
        self.events = events
        self.due = 0.0

    def is_of(self, inbox: Inbox) -> bool:
        """Whether nothing was changed about it since."""
        mine, its = self.inbox, inbox
        return (mine.terms, mine.removed_at) == (its.terms, its.removed_at)

    def hear(self, wake: Callable[[], None]) -> None:
        """Look at the next opportunity."""
        self.due = 0.0
        wake()


class InboxWatcher:
    """One thread that watches, and one that renews the leases, which a large file would outlast."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules = settings.inbox
        self._room = Darkroom(settings)
        self._who = new_id("watch")
        self._held: dict[str, _Held] = {}
        self._lost: frozenset[str] = frozenset()  # this process stood still, and others took them
        self._stopped = threading.Event()
        self._awake = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for name, run in (("inbox-watch", self._watch), ("inbox-leases", self._renew))
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """End after the file that is being taken in, and let others watch."""
        self._stopped.set()
        self._awake.set()
        ends = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _watch(self) -> None:
        while not self._stopped.is_set():
            seconds = _PASS_SECONDS
            try:
                seconds = self._pass()
            except (DBAPIError, DarkroomError, OSError) as error:
                _log.warning("inboxes wait", error=error)
            self._awake.wait(seconds)
            self._awake.clear()
        self._let_go()

    def _pass(self) -> float:
        """Look at every inbox that is due; in how many seconds to come again."""
        for inbox in self._mine():
            held = self._held[inbox.id]
            if held.due > time.monotonic() or self._stopped.is_set():
                continue
            held.due = time.monotonic() + self._pause(inbox)
            if held.events is not None:
                held.events.listen()
            wait = held.watch.round()
            if wait is not None:
                held.due = min(held.due, time.monotonic() + wait)
        nearest = min((held.due for held in self._held.values()), default=float("inf"))
        return min(_PASS_SECONDS, max(0.0, nearest - time.monotonic()))

    def _pause(self, inbox: Inbox) -> float:
        return self._rules.list_seconds if inbox.is_bucket else self._rules.scan_seconds

    def _mine(self) -> list[Inbox]:
        """Ask the books what is to be watched, and take what nobody watches."""
        for lost in self._lost:
            self._drop(lost)
        self._lost = frozenset()
        with db.reading(self._room.database) as connection:
            found = books.watched(connection)
        mine = [inbox for inbox in found if inbox.id in self._held or self._takes(inbox)]
        for gone in self._held.keys() - {inbox.id for inbox in mine}:
            self._drop(gone)
        for inbox in mine:
            held = self._held.get(inbox.id)
            if held is None or not held.is_of(inbox):
                self._hold(inbox)
        return mine

    def _takes(self, inbox: Inbox) -> bool:
        """Take an inbox, unless its folder is not on this machine: it may be on another's."""
        if not inbox.is_bucket and not Path(inbox.url).is_dir() and inbox.trouble:
            return False
        return db.transact(
            self._room.database,
            lambda c: books.watch(c, inbox.id, self._who, self._rules.lease_seconds),
        )

    def _hold(self, inbox: Inbox) -> None:
        self._drop(inbox.id)
        place = open_place(inbox.url, self._settings)
        watch = Watch(self._room, inbox, place, self._stopped.is_set)
        self._held[inbox.id] = held = _Held(inbox, watch, None)
        if not inbox.is_bucket:
            held.events = Events(Path(inbox.url), partial(held.hear, self._awake.set))
        _log.info("watching", inbox=inbox.url)

    def _drop(self, inbox_id: str) -> None:
        held = self._held.pop(inbox_id, None)
        if held is not None and held.events is not None:
            held.events.stop()

    def _renew(self) -> None:
        while not self._stopped.wait(self._rules.lease_seconds / _RENEWALS):
            try:
                kept = db.transact(
                    self._room.database,
                    lambda c: books.stay(c, self._who, self._rules.lease_seconds),
                )
                self._lost = frozenset(self._held) - kept
            except DBAPIError as error:
                _log.warning("inboxes cannot be kept", error=error)

    def _let_go(self) -> None:
        for inbox_id in list(self._held):
            self._drop(inbox_id)
        try:
            db.transact(self._room.database, lambda c: books.unwatch(c, self._who))
        except DBAPIError as error:
            _log.warning("inboxes stay ours until their lease ends", error=error)
        self._room.close()
