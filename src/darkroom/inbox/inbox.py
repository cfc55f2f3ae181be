"""An inbox and a drop, as the books have them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom.inbox.terms import Terms
from darkroom.models import DropState


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """A watched folder. `url` is an absolute path or `gs://…`; `trouble` says why it rests."""

    id: str
    url: str
    created_at: datetime
    removed_at: datetime | None
    terms: Terms
    watched_until: datetime | None
    looked_at: datetime | None
    trouble: str | None
    files: dict[str, int] = {}

    @property
    def is_bucket(self) -> bool:
        """Whether it lies in object storage."""
        return self.url.startswith("gs://")


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
