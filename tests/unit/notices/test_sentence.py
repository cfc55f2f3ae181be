"""Events in words, for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from darkroom.event import Event, EventName
from darkroom.notices.sentence import sentence

JOB: dict[str, Any] = {"name": "spring", "total": 4, "done": 3, "refused": 1, "failed": 0}
JOB |= {"cancelled": 0, "held": 0, "simulated": True, "spent_usd": "0.12", "folder": "out/job_1"}
RUN = {"schedule": "nightly", "local_date": "2026-11-26", "state": "failed", "reason": "no rows"}
ROWS = [{"id": "r1", "variant": 1, "state": "refused", "reason": "SAFETY"}]
MONEY = {"scope": "day", "cap_usd": "100.000000", "spent_usd": "80.500000"}


@pytest.mark.parametrize(
    ("event", "data", "title", "lines"),
    [
        ("job.finished", {"job": JOB}, "spring is finished", "3 done, 1 refused of 4; simulated"),
        (
            "job.held",
            {"job": JOB, "reason": "approval", "commands": ["darkroom job approve job_1"]},
            "spring waits for you",
            "darkroom job approve job_1",
        ),
        ("budget.80", MONEY, "80 % of a budget is spent: day", "$80.500000 of $100.000000"),
        ("schedule.missed", RUN, "nightly missed its run of 2026-11-26", "no rows"),
        ("schedule.run", RUN | {"job": None}, "nightly, 2026-11-26: failed", "no rows"),
        (
            "schedule.run",
            RUN | {"job": JOB, "failed_rows": ROWS},
            "nightly, 2026-11-26: failed",
            "r1: SAFETY",
        ),
        ("test", {"message": "x"}, "a test", "It arrived."),
    ],
)
def test_an_event_is_a_title_and_some_lines(
    event: str, data: dict[str, Any], title: str, lines: str
) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)

    said = sentence(Event(id="ntc_1", type=EventName(event), timestamp=now, data=data))

    assert said[0] == f"Darkroom: {title}"
    assert lines in said[1]
