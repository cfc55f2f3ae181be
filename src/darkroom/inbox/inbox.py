"""An inbox and a drop, as the books have them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom.inbox.terms import Terms
from darkroom.models import DropState

_MARK_LETTERS = 6


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """A watched folder. `url` is an absolute path; `trouble` says why it rests."""

    id: str
    url: str
    created_at: datetime
    removed_at: datetime | None
    terms: Terms
    watched_until: datetime | None
    looked_at: datetime | None
    trouble: str | None
    files: dict[str, int] = {}


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """One dropped file."""

    id: str
    inbox_id: str
    name: str
    stamp: str | None
    state: DropState
    job_id: str | None
    kept: str | None
    told: str | None
    tries: int
    claimed_at: datetime

    @property
    def mark(self) -> str:
        """What sets its name apart from another of the same name."""
        return self.id[-_MARK_LETTERS:]
