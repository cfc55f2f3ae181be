"""Publishes what schedules have approved: a thread beside the clock."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.errors import DarkroomError
from darkroom.ids import new_id
from darkroom.schedules import books, publications
from darkroom.schedules.entry import Entry
from darkroom.schedules.publisher import Publisher
from darkroom.settings import Settings

_log = structlog.get_logger(__name__)

_PASS_SECONDS: Final = 1.0
_REST: Final = 20.0  # times as long as a look took that found nothing to do
_LONGEST_REST: Final = 600.0
_RETRY_SECONDS: Final = 60.0
_OVERLAP: Final = timedelta(seconds=60)
"""A decision is dated when its transaction begins, and seen when that is over: so much later."""


class Publishing:
    """One thread. What it looked at is kept in it alone: after a restart all is looked at once."""

    def __init__(self, settings: Settings) -> None:
        self._database = db.open_engine(settings.sql_url)
        self._publisher = Publisher(self._database, settings, new_id("pub"))
        self._looked: dict[str, datetime] = {}
        self._retry: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publishing", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End; what is left over is published by another, or after the next start."""
        self._stopped.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = _PASS_SECONDS
        while not self._stopped.wait(pause):
            began, before = time.monotonic(), self._publisher.images
            try:
                self.look()
            except (DBAPIError, DarkroomError) as error:
                _log.warning("nothing is published", error=error)
            except Exception:  # noqa: BLE001  # the schedules go on; the next look tries again
                _log.exception("a defect")
            took = time.monotonic() - began if self._publisher.images == before else 0.0
            pause = max(_PASS_SECONDS, min(_LONGEST_REST, _REST * took))
        self._database.dispose()

    def look(self) -> None:
        """Publish for every schedule for which something may have changed."""
        with db.reading(self._database) as connection:
            now = db.now(connection)
            due = [
                entry
                for entry in books.entries(connection)
                if entry.terms.publish is not None
                and self._may_have_changed(entry, publications.changed_at(connection, entry))
            ]
        for entry in due:
            if self._publisher.publish(entry, lambda: not self._stopped.is_set()):
                self._looked[entry.id] = now
            else:
                self._retry[entry.id] = time.monotonic() + _RETRY_SECONDS

    def _may_have_changed(self, entry: Entry, changed: datetime) -> bool:
        if time.monotonic() < self._retry.get(entry.id, 0.0):
            return False
        looked = self._looked.get(entry.id)
        return looked is None or changed > looked - _OVERLAP
