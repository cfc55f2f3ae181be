"""How progress is told where no terminal is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from darkroom.cli.invocation import Invocation
from darkroom.cli.pace import Pace
from darkroom.cli.progress import Bar, Heartbeat, Moment, Silence, progress
from darkroom.report import JobState


def moment(at: float, done: int, waits: tuple[str, ...] = ()) -> Moment:
    state = JobState(
        id="job_x",
        name="catalog",
        source=None,
        state="running",
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        finished_at=None,
        deliver_by=None,
        priority=0,
        storage_url="/out",
        output_path="{job}/{id}.{ext}",
        rows=100,
        invalid=0,
        unchanged=0,
        shared=0,
        catalog=None,
        total=100,
        held=0,
        waiting=0,
        pending=100 - done,
        sent=0,
        submitted=0,
        done=done,
        refused=0,
        failed=0,
        cancelled=0,
        cap_nusd=None,
        reserved_nusd=0,
        spent_nusd=done * 33_600_000,
        at_risk_nusd=0,
        likely_nusd=3_360_000_000,
        needs_approval=False,
        simulated=True,
    )
    return Moment(state, at, 2.0, (100 - done) / 2, waits)


def test_a_heartbeat_comes_when_a_tenth_and_half_a_minute_have_passed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    heartbeat = Heartbeat()

    for at, done in [(0, 0), (5, 40), (31, 45), (40, 48), (62, 50), (90, 100), (91, 100)]:
        heartbeat.tell(moment(at, done))

    said = [line.split(" done")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == ["job_x: 0", "job_x: 45", "job_x: 100"]


def test_a_heartbeat_says_what_simulated_money_would_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Heartbeat().tell(moment(0, 50))

    assert "$0.00 (simulated; would be $1.68 of about $3.36)" in capsys.readouterr().err


def test_what_is_waited_for_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    heartbeat = Heartbeat()

    for at in range(3):
        heartbeat.tell(moment(at, 0, ("vertex rests until 14:05",)))

    assert capsys.readouterr().err.count("vertex rests") == 1


def test_no_terminal_means_lines_and_quiet_means_nothing() -> None:
    assert isinstance(progress("auto", Invocation()), Heartbeat)
    assert isinstance(progress("bar", Invocation()), Bar)
    assert isinstance(progress("auto", Invocation(as_json=True)), Silence)
    assert isinstance(progress("bar", Invocation(quiet=True)), Silence)


def test_the_pace_is_that_of_the_last_quarter_of_a_minute() -> None:
    pace = Pace()

    for at in range(60):
        pace.note(float(at), at * at)

    assert pace.rate == pytest.approx((59**2 - 44**2) / 15)
    assert pace.seconds_for(1030) == pytest.approx(10.0, rel=0.01)


def test_nobody_knows_a_pace_before_something_is_finished() -> None:
    pace = Pace()

    pace.note(0.0, 5)
    pace.note(9.0, 5)

    assert pace.rate is None
    assert pace.seconds_for(10) is None
