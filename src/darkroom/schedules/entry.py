"""A schedule and a run as the books have them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from darkroom.models import RunState
from darkroom.schedules.terms import Terms


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that was applied."""

    id: str
    name: str
    terms: Terms
    folder: Path
    applied_at: datetime
    paused_at: datetime | None
    pause_reason: str | None
    failures: int
    looked_until: datetime
    publish_trouble: str | None

    @property
    def place(self) -> str | None:
        """Where its images are published: a folder's whole path, or gs://bucket/prefix."""
        publish = self.terms.publish
        return None if publish is None else publish.place(self.folder)


class RunEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `key` is the idempotency key of its job: the same for whoever submits it."""

    id: str
    schedule_id: str
    fire_at: datetime
    due_at: datetime
    deadline_at: datetime | None
    local_date: str
    cause: str
    state: RunState
    reason: str | None
    job_id: str | None
    tries: int
    finished_at: datetime | None
    deadline_acted: bool

    @property
    def key(self) -> str:
        """What makes two submissions of it one job."""
        return f"schedule:{self.id}"
