"""What happened, as hooks and receivers of notices are told."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class EventName(StrEnum):
    """The kinds of events, by the names that receivers see."""

    JOB_FINISHED = "job.finished"
    JOB_FAILED = "job.failed"
    """In place of `job.finished`, where too many of its renders came to no image."""
    JOB_HELD = "job.held"
    """It waits for a person: for approval, for a higher cap, or after lost answers."""
    BUDGET_80 = "budget.80"
    """Four fifths of a cap are spent: a job's, a day's, or everything's."""
    SCHEDULE_MISSED = "schedule.missed"
    SCHEDULE_RUN = "schedule.run"
    """A run of a schedule is over: its digest, in place of the events of its job's end."""
    TEST = "test"
    """Somebody asked for it, to see whether it arrives."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `id` is the same however often it is told; `data` is what its kind tells."""

    id: str
    type: EventName
    timestamp: datetime
    data: dict[str, Any]


def encode(event: Event) -> str:
    """Write the body of a notice: type, timestamp and data, as Standard Webhooks has it."""
    body = {"type": event.type, "timestamp": event.timestamp, "data": event.data}
    return msgspec.json.encode(body).decode()


class _Body(msgspec.Struct):
    type: EventName
    timestamp: datetime
    data: dict[str, Any]


def decode(event_id: str, body: str) -> Event:
    """Read what `encode` wrote."""
    read = msgspec.json.decode(body, type=_Body)
    return Event(id=event_id, type=read.type, timestamp=read.timestamp, data=read.data)
