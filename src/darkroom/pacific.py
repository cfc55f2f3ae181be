"""The day by which Google counts: daily quotas reset at midnight Pacific, summer and winter.

Source: Google, Gemini API, Rate limits, 2026-07.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_PACIFIC: Final = ZoneInfo("America/Los_Angeles")


class Day(msgspec.Struct, frozen=True):
    """One Pacific day, from midnight to midnight: 23, 24 or 25 hours."""

    name: str
    began: datetime
    ends: datetime


def day_of(moment: datetime) -> Day:
    """Find the Pacific day of an aware moment."""
    date = moment.astimezone(_PACIFIC).date()
    began = datetime.combine(date, time(), _PACIFIC)
    ends = datetime.combine(date + timedelta(days=1), time(), _PACIFIC)
    return Day(date.isoformat(), began, ends)
