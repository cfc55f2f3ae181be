"""Budgets and the kill switch, with real processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import func, select

from darkroom import Darkroom, Job, db, embedded
from darkroom.audit import audit
from darkroom.cli.outcome import exit_code, summary
from darkroom.errors import Exit
from darkroom.jobs import rests
from darkroom.models import Attempt
from darkroom_simulator.child import Ready, running

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]

QUICK = {"concurrency": 4, "adaptive": False}  # what a pool bears need not be learned here


def rows(how_many: int) -> list[dict[str, object]]:
    return [{"id": f"r{number}", "prompt": f"lamp no. {number}"} for number in range(how_many)]


def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.02)


def stand_in() -> AbstractContextManager[Ready]:
    return running("--pictures", "cached")


def real_room(open_room: Open, server: Ready, **budget: str) -> Darkroom:
    """Money is real for all that Darkroom knows."""
    own = {"project": "p", "access_token": "t", "base_url": server.url}
    return open_room(vertex=own, tiers={"vertex": QUICK}, budget=budget)


def last_claim(room: Darkroom) -> object:
    with db.reading(room.database) as connection:
        return connection.scalar(select(func.max(Attempt.sent_at)))


def test_the_kill_switch_stops_a_job_under_way_and_its_end_lets_it_go_on(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room(tiers={"simulator": {"requests_per_minute": 900}})
    job = room.submit(rows(60))
    room.render_here()
    until(lambda: job.state.done >= 5)

    room.pause_all()
    stopped = job.wait(60)

    (switch,) = room.rests()
    assert (stopped.sent, switch.tier) == (0, rests.EVERY_TIER)
    assert stopped.pending > 0
    assert str(last_claim(room)) <= str(switch.since)
    assert exit_code(job) is Exit.PENDING
    assert "darkroom resume --all" in summary(job).plain

    room.resume_all()
    assert job.wait(60).is_finished
    assert len(bill_of(room)) == 60
    assert audit(room.database, room.settings.home, deep=True) == []


def test_a_job_that_used_up_the_day_ends_the_watch_and_says_what_it_waits_for(
    open_room: Open,
) -> None:
    with stand_in() as server:
        room = real_room(open_room, server, per_day="0.20")
        job = room.submit(rows(12), consent=True)

        state = job.wait(60)

        assert (state.sent, state.held) == (0, 0)
        assert state.done > 0
        assert state.pending > 0
        assert state.spent_nusd <= 200_000_000
        assert exit_code(job) is Exit.SPEND_REFUSED
        assert f"{rests.DAY_SPENT} budget.per_day is $0.20" in summary(job).plain
        assert audit(room.database, room.settings.home) == []


def test_a_raised_day_goes_on_when_a_local_stack_starts_again(open_room: Open) -> None:
    with stand_in() as server:
        poor = real_room(open_room, server, per_day="0.20")
        job = poor.submit(rows(12), consent=True)
        assert job.wait(60).pending > 0
        until(lambda: embedded.find(poor.settings.home) is None)

        rich = real_room(open_room, server, per_day="none")
        rich.render_here()
        again = Job(rich, job.id)
        until(lambda: not again.waits())

        assert again.wait(60).done == 12


def test_a_total_that_is_met_holds_the_rest_and_says_how_to_go_on(open_room: Open) -> None:
    with stand_in() as server:
        room = real_room(open_room, server, total="0.20")
        job = room.submit(rows(8), consent=True)

        state = job.wait(60)

        assert state.held > 0
        assert state.held + state.done == 8
        assert exit_code(job) is Exit.SPEND_REFUSED
        assert "budget.total is met" in summary(job).plain
