"""Jobs that are held until a person agrees to their cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from darkroom import Darkroom
from darkroom.audit import audit
from darkroom.cli.outcome import exit_code, remedies
from darkroom.errors import Exit, ManifestRejected
from darkroom.models import RenderState
from darkroom.settings import Settings

if TYPE_CHECKING:
    from tests.contract.conftest import Books

ROWS = [{"id": f"r{number}", "prompt": f"lamp no. {number}"} for number in range(30)]


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    """Money is real for all that Darkroom knows; there is no broker to ring at."""
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made


def test_a_held_job_needs_no_consent_and_nothing_of_it_is_claimed_or_reserved(
    room: Darkroom, books: Books
) -> None:
    job = room.submit(ROWS, hold=True)

    claims, state = books.take(), job.state
    assert claims == []
    assert (state.state, state.held, state.pending, state.reserved_nusd) == ("held", 30, 0, 0)
    assert state.needs_approval
    assert exit_code(job) is Exit.SPEND_REFUSED
    assert f"darkroom job approve {job.id}" in remedies(job)[0]
    assert audit(room.database, room.settings.home) == []


def test_an_approved_job_is_sent(room: Darkroom, books: Books) -> None:
    job = room.submit(ROWS, hold=True)

    moved = job.approve()

    assert (moved, len(books.take()), job.state.needs_approval) == (30, 30, False)
    assert job.approve() == 0
    assert audit(room.database, room.settings.home) == []


def test_a_rejected_job_is_cancelled_whole(room: Darkroom, books: Books) -> None:
    job = room.submit(ROWS, hold=True)

    moved = job.reject()

    state = job.state
    assert (moved, state.state, state.cancelled) == (30, "cancelled", 30)
    assert state.finished_at is not None
    assert books.take() == []
    assert audit(room.database, room.settings.home) == []


def test_only_what_waits_for_approval_is_approved_or_rejected(room: Darkroom, books: Books) -> None:
    job = room.submit(ROWS, consent=True)
    held = [claim.render_id for claim in books.take(3)]

    assert (job.approve(), job.reject()) == (0, 0)
    assert job.state.sent == len(held)


def test_a_resumed_job_still_waits_for_approval(room: Darkroom) -> None:
    job = room.submit(ROWS, hold=True)

    assert job.resume("100") == 0
    assert job.state.held == 30


def test_what_is_held_counts_as_on_its_way_for_another_manifest(room: Darkroom) -> None:
    room.submit(ROWS[:10], hold=True)

    plan = room.plan(ROWS)

    assert (plan.renders, plan.unchanged) == (20, 10)


def test_bad_rows_are_refused_before_anybody_is_asked(room: Darkroom) -> None:
    with pytest.raises(ManifestRejected):
        room.submit([*ROWS, {"id": "bad"}], hold=True)

    job = room.submit([*ROWS, {"id": "bad"}], hold=True, accept_valid=True)
    assert [result.state for result in job.results([RenderState.HELD])] == [RenderState.HELD] * 30
