"""Looks for what is to be told, and tells it: threads beside the clock, one for each receiver."""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.errors import DarkroomError
from darkroom.notices import Broken, Lookout, open_receivers, subscribers
from darkroom.notices.carrying import Carrier
from darkroom.settings import Settings

_log = structlog.get_logger(__name__)

_PASS_SECONDS: Final = 1.0
_REST: Final = 20.0  # times as long as a look took: with 100,000 jobs in the books, that is 0.1 s


class NoticePost:
    """Without a target or a hook it does nothing. One receiver that hangs holds up no other."""

    def __init__(self, settings: Settings) -> None:
        self._database = db.open_engine(settings.sql_url)
        receivers = open_receivers(settings.notices)
        self._lookout = Lookout(self._database, settings.notices, subscribers(settings.notices))
        self._carriers = [
            Carrier(self._database, name, receiver, settings)
            for name, receiver in receivers.items()
        ]
        for name, receiver in receivers.items():
            if isinstance(receiver, Broken):
                _log.error("a target cannot be told anything", target=name, why=receiver.fault)
        self._stopped = threading.Event()
        self._looked = threading.Event()
        self._threads = [
            threading.Thread(target=self._carry, args=[carrier], name=carrier.name, daemon=True)
            for carrier in self._carriers
        ]
        if self._threads:
            self._threads.append(threading.Thread(target=self._look, name="lookout", daemon=True))

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Look a last time, tell what is due, and end; what is left over, another tells."""
        self._stopped.set()
        ends = time.monotonic() + seconds
        for thread in reversed(self._threads):
            thread.join(max(0.0, ends - time.monotonic()))

    def _look(self) -> None:
        is_last, pause = False, _PASS_SECONDS
        while not is_last:
            is_last, began = self._stopped.wait(pause), time.monotonic()
            try:
                self._lookout.look()
            except (DBAPIError, DarkroomError) as error:
                _log.warning("nobody looks for what is to be told", error=error)
            except Exception:  # noqa: BLE001  # what is rendered meanwhile is told by the next look
                _log.exception("a defect")
            pause = max(_PASS_SECONDS, _REST * (time.monotonic() - began))
        self._looked.set()

    def _carry(self, carrier: Carrier) -> None:
        is_last = False
        while not is_last:
            is_last = self._looked.wait(_PASS_SECONDS)
            try:
                while carrier.deliver():
                    pass
            except (DBAPIError, DarkroomError) as error:
                _log.warning("notices wait", target=carrier.name, error=error)
            except Exception:  # noqa: BLE001  # the letter is due again when its lease ends
                _log.exception("a defect", target=carrier.name)
