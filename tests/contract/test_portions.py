"""What a plan keeps to be stored, and what comes between planning and submitting."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from darkroom import Darkroom
from darkroom.audit import audit
from darkroom.models import AttemptState
from darkroom.plan import Plan
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books

MANY = [{"id": f"r{number}", "prompt": f"lamp {number}"} for number in range(150)]
FEW = MANY[:3]
LARGE = [{"prompt": f"{number} {'word ' * 1_500}"} for number in range(900)]


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    """Money is real for all that Darkroom knows; there is no broker to ring at."""
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    told |= {"budget": {"confirm_above": "100000", "per_day": "none"}}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made
        assert audit(made.database, made.settings.home) == []


@contextmanager
def statements(room: Darkroom) -> Iterator[list[str]]:
    """All that the books are asked or told meanwhile."""
    heard: list[str] = []

    def listen(_c: object, _u: object, statement: str, *_rest: object) -> None:
        heard.append(statement)

    event.listen(room.database, "before_cursor_execute", listen)
    yield heard
    event.remove(room.database, "before_cursor_execute", listen)


def searches(room: Darkroom, plan: Plan) -> int:
    """How often the books are searched for pictures by their fingerprints to submit a plan."""
    with statements(room) as heard:
        room.submit(plan)
    return sum("min(renders.state" in one for one in heard)


@pytest.mark.parametrize("rows", [FEW, MANY], ids=["few", "many"])
def test_what_was_planned_is_stored_without_being_judged_again(
    room: Darkroom, rows: list[dict[str, object]]
) -> None:
    kept, judged_again = room.plan(rows), room.plan(rows, keep=False)

    assert (searches(room, kept), searches(room, judged_again)) == (0, 1)

    assert [job.total for job in room.jobs()] == [0, len(rows)]


@pytest.mark.parametrize("rows", [FEW, MANY], ids=["few", "many"])
def test_what_another_job_brought_after_the_plan_is_not_made_twice(
    room: Darkroom, rows: list[dict[str, object]]
) -> None:
    plan = room.plan(rows)
    room.submit(rows[:2])

    state = room.submit(plan).state

    assert (state.total, state.unchanged) == (len(rows) - 2, 2)


@pytest.mark.parametrize("rows", [FEW, MANY], ids=["few", "many"])
def test_what_was_there_and_is_cancelled_after_the_plan_is_made_all_the_same(
    room: Darkroom, rows: list[dict[str, object]]
) -> None:
    earlier = room.submit(rows[:2])
    plan = room.plan(rows)
    earlier.cancel()

    state = room.submit(plan).state

    assert (plan.unchanged, state.total, state.unchanged) == (2, len(rows), 0)


def test_a_plan_that_is_submitted_twice_makes_its_pictures_once(room: Darkroom) -> None:
    plan = room.plan(MANY)

    first, second = (room.submit(plan).state for _ in range(2))

    assert (first.total, second.total, second.unchanged) == (150, 0, 150)


def test_a_plan_may_be_submitted_to_other_books(room: Darkroom, tmp_path: Path) -> None:
    plan = room.plan(MANY)
    elsewhere = room.settings.model_copy(update={"home": tmp_path / "b", "database_url": None})

    with Darkroom(elsewhere) as other:
        assert other.submit(plan).state.total == len(MANY)


def test_where_the_disk_is_full_a_plan_is_judged_again(room: Darkroom, books: Books) -> None:
    room.database.dispose()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        plan = room.plan(LARGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert plan.kept is not None
    assert not plan.kept.serve(room.database)
    assert room.submit(plan).state.total == len(LARGE)
    assert len(books.take(1_000, tier=Tier.VERTEX)) > 0


def test_what_was_there_and_is_rejected_after_the_plan_is_made_again(
    room: Darkroom, books: Books
) -> None:
    earlier = room.submit(FEW)
    books.end(books.take(tier=Tier.VERTEX), AttemptState.DELIVERED, charge=1)
    plan = room.plan(FEW)
    earlier.reviews.reject("r0")

    state = room.submit(plan).state

    assert (plan.renders, state.total, state.unchanged) == (0, 1, 2)
