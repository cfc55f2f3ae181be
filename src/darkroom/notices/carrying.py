"""Brings notices to one receiver, one after the other; another receiver waits for nothing here."""

from __future__ import annotations

import structlog
from sqlalchemy import Engine

from darkroom import db
from darkroom.event import decode
from darkroom.killpoints import Point, come_past
from darkroom.models import DeliveryState
from darkroom.notices import outbox
from darkroom.notices.outbox import Letter
from darkroom.notices.receivers import Receiver
from darkroom.notices.verdict import Verdict
from darkroom.redaction import Redactor
from darkroom.settings import Settings

_log = structlog.get_logger(__name__)

_LEASE_TIMEOUTS = 2.0  # a receiver's time-out, and as much again for name and books


class Carrier:
    """Who delivers to one receiver. Any number may; each letter is in one hand at a time."""

    def __init__(self, database: Engine, name: str, receiver: Receiver, settings: Settings) -> None:
        self.name = name
        self._database = database
        self._receiver = receiver
        self._rules = settings.notices
        self._redact = Redactor(settings.secrets())

    def deliver(self) -> bool:
        """Bring what is due first, if anything is; whether there was."""
        with db.reading(self._database) as connection:
            if not outbox.is_due(connection, self.name):
                return False
        seconds = self._rules.timeout_seconds * _LEASE_TIMEOUTS
        letter = db.transact(self._database, lambda c: outbox.take(c, self.name, seconds))
        if letter is None:
            return False
        verdict = self._receiver.tell(decode(letter.notice_id, letter.body), letter.body)
        come_past(Point.DELIVERED, letter.notice_id)
        self._note(letter, verdict)
        return True

    def _note(self, letter: Letter, verdict: Verdict) -> None:
        if verdict.state is DeliveryState.SENT:
            db.transact(self._database, lambda c: outbox.sent(c, letter))
            _log.info("a notice was delivered", notice=letter.notice_id, target=self.name)
            return
        wait = self._wait(letter) if verdict.state is DeliveryState.PENDING else None
        said = self._redact(verdict.said or "")
        db.transact(self._database, lambda c: outbox.again(c, letter, wait, said))
        tell = _log.error if wait is None else _log.warning
        what = "a notice is given up" if wait is None else "a notice is not delivered yet"
        tell(what, notice=letter.notice_id, target=self.name, tries=letter.tries, why=said)

    def _wait(self, letter: Letter) -> float | None:
        """How long until the next try; None after the last."""
        waits = self._rules.retry_seconds
        return waits[letter.tries - 1] if letter.tries <= len(waits) else None
