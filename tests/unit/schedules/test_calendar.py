from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from darkroom.schedules.calendar import Calendar, Fire, next_wall_time

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def fires(cron: str, zone: str, after: str, count: int = 3) -> list[Fire]:
    calendar = Calendar(cron, zone)
    begins = datetime.fromisoformat(after).replace(tzinfo=calendar.zone)
    return list(islice(calendar.after(begins), count))


def in_utc(found: list[Fire]) -> list[str]:
    return [f"{fire.at:%m-%d %H:%M}" for fire in found]


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        (BERLIN, "2027-03-27T12:00", ["03-28 01:00", "03-29 00:30", "03-30 00:30"]),
        (NEW_YORK, "2027-03-13T12:00", ["03-14 07:00", "03-15 06:30", "03-16 06:30"]),
    ],
)
def test_a_time_that_a_night_leaves_out_is_the_first_instant_after_the_gap(
    zone: str, after: str, expected: list[str]
) -> None:
    found = fires("30 2 * * *", zone, after)

    assert in_utc(found) == expected
    assert [fire.note for fire in found] == ["DST: this day has 23 hours", None, None]


@pytest.mark.parametrize(
    ("zone", "cron", "after", "expected"),
    [
        (BERLIN, "30 2 * * *", "2027-10-30T12:00", ["10-31 00:30", "11-01 01:30", "11-02 01:30"]),
        (NEW_YORK, "30 1 * * *", "2027-11-06T12:00", ["11-07 05:30", "11-08 06:30", "11-09 06:30"]),
    ],
)
def test_a_time_that_a_night_has_twice_fires_once_at_the_first(
    zone: str, cron: str, after: str, expected: list[str]
) -> None:
    found = fires(cron, zone, after)

    assert in_utc(found) == expected
    assert found[0].note == "DST: this day has 25 hours"


@pytest.mark.parametrize("minutes", range(0, 240, 7))
def test_whoever_asks_during_the_hour_that_comes_twice_is_told_of_no_fire_before(
    minutes: int,
) -> None:
    moment = datetime(2027, 10, 30, 23, tzinfo=UTC) + timedelta(minutes=minutes)

    fire = next(Calendar("30 2 * * *", BERLIN).after(moment))

    is_before = moment < datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert fire.at > moment
    assert fire.local_date.isoformat() == ("2027-10-31" if is_before else "2027-11-01")


def test_two_times_of_one_gap_fire_once() -> None:
    found = fires("0,30 2 * * *", BERLIN, "2027-03-28T00:00")

    assert in_utc(found) == ["03-28 01:00", "03-29 00:00", "03-29 00:30"]


def test_a_gap_at_midnight_leaves_no_day_out() -> None:
    found = fires("0 0 * * *", "America/Santiago", "2027-09-03T12:00", 4)

    assert len({fire.local_date for fire in found}) == 4


def test_a_deadline_is_the_next_time_that_the_clock_shows_it() -> None:
    (fire,) = fires("30 1 * * *", BERLIN, "2027-03-27T12:00", 1)

    at = next_wall_time(fire, "07:30", Calendar("0 0 * * *", BERLIN).zone)

    assert at == datetime(2027, 3, 28, 5, 30, tzinfo=UTC)


def test_a_cron_line_is_said_in_words() -> None:
    assert Calendar("30 1 * * MON-FRI", BERLIN).explain() == "At 01:30 on Monday through Friday"


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 0 30 2 *", "never fires"),
        ("61 1 * * *", "bad minute"),
        ("0 1 * *", "no cron line"),
        ("0 0 1 * * *", "no cron line"),
        ("every night", "no cron line"),
        ("1/" + "9" * 300 + " * * * *", "no cron line"),
    ],
)
def test_a_cron_line_that_cannot_fire_is_refused(cron: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Calendar(cron, BERLIN)


@pytest.mark.parametrize(
    ("zone", "said"),
    [("Europe/Berln", "did you mean Europe/Berlin"), ("Mars/Phobos", "no timezone"), ("", "no")],
)
def test_a_zone_that_is_not_known_is_refused_with_one_like_it(zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Calendar("0 1 * * *", zone)
