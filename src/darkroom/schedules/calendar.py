"""When a schedule fires: cron by the clock on the wall, in a zone, on nights that lack an hour too.

cronsim (2.8, read in November 2026) does as Debian's cron does: a time that a night leaves out is
the first instant after the gap, one that a night has twice is the first of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from cronsim import CronSim, CronSimError

_FIELDS = 5
_MOST_LETTERS = 200
_LOOKED_AT = 100  # fires, to find the shortest pause between two


class Fire(msgspec.Struct, frozen=True):
    """One moment at which a schedule fires; `note` says what its night does to the clock."""

    at: datetime
    local: datetime
    note: str | None = None

    @property
    def local_date(self) -> date:
        """The day on the wall, where the schedule is."""
        return self.local.date()


class Calendar:
    """A cron line in a zone. Raises ValueError for what cannot be one."""

    def __init__(self, cron: str, zone: str) -> None:
        self.zone = _zone(zone)
        self._cron = cron
        _require_cron(cron)
        if next(self._walls(datetime.now(UTC)), None) is None:
            raise ValueError(f'"{cron}" never fires')

    def explain(self) -> str:
        """Say the cron line in words: At 01:30 on Monday through Friday."""
        return CronSim(self._cron, datetime.now(UTC)).explain()

    def after(self, moment: datetime) -> Iterator[Fire]:
        """Every fire after a moment, the earliest first; it may end only with the calendar."""
        before = moment
        for wall in self._walls(moment):
            at = wall.astimezone(UTC)
            if at > before:  # two times of one gap are one instant; an hour that comes twice is one
                before = at
                yield Fire(at, at.astimezone(self.zone), self._note(at))

    def _walls(self, moment: datetime) -> Iterator[datetime]:
        return CronSim(self._cron, moment.astimezone(self.zone))

    def _note(self, at: datetime) -> str | None:
        """Say when the clock is put forward or back on the day of a fire."""
        local = at.astimezone(self.zone)
        begins = datetime(local.year, local.month, local.day, tzinfo=self.zone)
        ends = begins + timedelta(days=1)  # by the wall
        hours = (ends.astimezone(UTC) - begins.astimezone(UTC)) / timedelta(hours=1)
        if hours == 24:  # noqa: PLR2004  # a day
            return None
        return f"DST: this day has {hours:g} hours"

    def shortest_pause(self) -> timedelta:
        """The shortest time between two of the next fires, by a clock that is never changed."""
        fires = list(islice(CronSim(self._cron, datetime.now(UTC)), _LOOKED_AT))
        return min((b - a for a, b in pairwise(fires)), default=timedelta.max)


def _require_cron(cron: str) -> None:
    if len(cron) > _MOST_LETTERS or len(cron.split()) != _FIELDS:
        raise ValueError(f'"{cron[:40]}" is no cron line: minute hour day month weekday')
    try:
        CronSim(cron, datetime.now(UTC))
    except (CronSimError, AssertionError, ValueError) as error:
        said = str(error).lower() or "a field cannot be read"
        if said == "bad day-of-month":
            said += "; a day that no such month has never fires"
        raise ValueError(f'"{cron}" is no cron line that fires: {said}') from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # what is not found is a KeyError
        known = available_timezones()
        by_lower = {each.lower(): each for each in known}
        near = get_close_matches(name.lower(), by_lower, 1, 0.6)
        hint = f"; did you mean {by_lower[near[0]]}?" if near else "; such as Europe/Berlin"
        raise ValueError(f'there is no timezone "{name}"{hint}') from error


def next_wall_time(fire: Fire, wall: str, zone: ZoneInfo) -> datetime:
    """The first moment after a fire at which the clock shows `07:30`. Raises ValueError."""
    at = datetime.strptime(wall, "%H:%M")  # noqa: DTZ007  # a time of day has no zone
    calendar = Calendar(f"{at.minute} {at.hour} * * *", zone.key)
    return next(calendar.after(fire.at)).at
