"""A plan's tiers, and that they are those of the job."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from darkroom import Choices, Darkroom, db
from darkroom.models import Render
from darkroom.settings import Settings
from darkroom_manifests.tier import AUTO, Tier

ROWS = [{"id": f"r{number}", "prompt": f"A lamp, number {number}"} for number in range(60)]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Two providers of which neither keeps a deadline alone; nothing is ever sent to them."""
    given: dict[str, Any] = {
        "home": tmp_path,
        "database_url": database_url,
        "storage_url": str(tmp_path / "out"),
        "aistudio": {"api_key": "k"},
        "vertex": {"project": "p"},
        "router": {"tiers": ["aistudio", "vertex"]},
        "tiers": {"vertex": {"adaptive_start": 20}},
    }
    return Settings.model_validate(given)


def tiers_of(room: Darkroom, job_id: str) -> Counter[str]:
    with db.reading(room.database) as connection:
        return Counter(connection.scalars(select(Render.tier).where(Render.job_id == job_id)))


def test_a_job_goes_to_the_tiers_of_its_plan(settings: Settings) -> None:
    due = datetime.now(UTC) + timedelta(minutes=3)
    with Darkroom(settings) as room:
        plan = room.plan(ROWS, choices=Choices(deliver_by=due))
        job = room.submit(plan, max_cost="10")
        stored, state = tiers_of(room, job.id), job.state

    assert stored == {share.tier: share.renders for share in plan.shares}
    assert len(stored) == 2
    assert state.deliver_by == due


def test_what_waits_already_is_planned_around(settings: Settings) -> None:
    with Darkroom(settings) as room:
        room.submit(room.plan(ROWS, choices=Choices(tier=Tier.VERTEX)), max_cost="10")
        others = [row | {"prompt": f"{row['prompt']}, lit"} for row in ROWS[:20]]
        plan = room.plan(others)

    assert plan.tiers == ["aistudio"]


def test_what_is_made_already_takes_up_no_room(settings: Settings) -> None:
    with Darkroom(settings) as room:
        room.submit(room.plan(ROWS), max_cost="10")
        one = room.plan([*ROWS, {"prompt": "Another lamp"}])
        alone = room.plan([{"prompt": "Another lamp"}])

    assert (one.unchanged, one.renders) == (60, 1)
    assert one.finish_seconds == pytest.approx(alone.finish_seconds)


def test_a_row_may_ask_for_auto_or_for_a_tier_or_for_a_day_of_its_own(settings: Settings) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    rows = [
        {"prompt": "a", "tier": "vertex"},
        {"prompt": "b", "tier": "auto"},
        {"prompt": "c", "tier": "vertex", "deliver_by": soon},
    ]
    with Darkroom(settings) as room:
        plan = room.plan(rows, choices=Choices(tier=Tier.VERTEX))

    assert {share.tier: share.renders for share in plan.shares} == {"aistudio": 1, "vertex": 2}
    assert plan.late_renders == 1
    assert plan.late_seconds > 30


def test_auto_is_the_default_where_several_tiers_are_configured(settings: Settings) -> None:
    one = settings.model_copy(update={"aistudio": Settings().aistudio})

    assert settings.default_tier() is AUTO
    assert one.default_tier() is Tier.VERTEX
    assert Settings().default_tier() is Tier.SIMULATOR
