"""What a plan is compared with."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.router.test_router import AT, BOTH, REGISTRY, SERVED, WIDE

from darkroom import db
from darkroom.alternatives import Alternative, What, alternatives
from darkroom.draft import Choices
from darkroom.manifest import Manifest
from darkroom.plan import Plan
from darkroom.planner import Planner
from darkroom.router import Market, Outlook
from darkroom.selection import Select, Selection
from darkroom.settings import Settings
from darkroom_manifests.tier import AUTO, Tier

ROWS: list[dict[str, object]] = [
    {"prompt": f"A lamp, number {number}", "image_size": "4K" if number % 5 == 0 else "1K"}
    for number in range(50)
]

_ALL = Selection(select=Select.ALL, share=False)


def compared(
    rows: list[dict[str, object]], choices: Choices, **given: Any
) -> tuple[Plan, list[Alternative]]:
    settings = Settings.model_validate(given)
    market = Market(settings, REGISTRY, Outlook(AT), SERVED)
    books = db.open_engine("sqlite://")
    planner = Planner(books, settings, market, choices, _ALL)
    plan = planner.plan(Manifest.of_rows(rows))
    return plan, alternatives(plan, settings, market)


def named(found: list[Alternative]) -> dict[str, Alternative]:
    return {each.name or each.what.value: each for each in found}


def test_the_plan_comes_first_at_its_own_cost_and_time() -> None:
    plan, found = compared(ROWS, Choices(tier=AUTO), **BOTH)

    assert found[0].what is What.PLAN
    assert (found[0].likely_nusd, found[0].renders) == (plan.likely_nusd, 50)
    assert found[0].finish_seconds == plan.finish_seconds


def test_a_tier_alone_costs_what_a_plan_for_it_costs() -> None:
    _, found = compared(ROWS, Choices(tier=AUTO), **BOTH)
    alone, _ = compared(ROWS, Choices(tier=Tier.AISTUDIO), **BOTH)

    assert named(found)["aistudio"].likely_nusd == alone.likely_nusd
    assert named(found)["aistudio"].finish_seconds == pytest.approx(alone.finish_seconds, rel=0.05)


def test_nothing_is_cheaper_than_the_cheapest_or_quicker_than_the_fastest() -> None:
    due = AT + timedelta(hours=1)
    _, found = compared(ROWS, Choices(tier=AUTO, deliver_by=due), **BOTH)

    everything = [each for each in found if each.renders == 50 and each.what is not What.MODEL]
    cheapest = next(each for each in found if each.what is What.CHEAPEST)
    fastest = next(each for each in found if each.what is What.FASTEST)
    assert cheapest.likely_nusd == min(each.likely_nusd for each in everything)
    assert fastest.finish_seconds == min(each.finish_seconds for each in everything)
    assert cheapest.likely_nusd < fastest.likely_nusd


def test_what_a_tier_cannot_make_is_counted_with_the_reason() -> None:
    _, found = compared(ROWS, Choices(tier=AUTO), **BOTH)

    batch, flex = named(found)["vertex-batch"], named(found)["vertex-flex"]
    assert (batch.renders, batch.cannot[0].renders) == (40, 10)
    assert batch.cannot[0].reason == "size-not-offered"
    assert "4K" in batch.cannot[0].message
    assert (flex.renders, flex.cannot[0].reason) == (0, "level-not-offered")


def test_other_models_draw_the_same_sizes() -> None:
    _, found = compared(ROWS, Choices(tier=AUTO), **BOTH)

    pro, lite = named(found)["gemini-3-pro-image"], named(found)["gemini-3.1-flash-lite-image"]
    assert pro.renders == 50
    assert (lite.renders, lite.cannot[0].renders) == (40, 10)
    assert "gemini-nano-banana-2.1" not in named(found)


def test_tiers_without_a_credential_are_shown_and_marked() -> None:
    _, found = compared(ROWS, Choices(), vertex={"project": "p"})

    by_name = named(found)
    assert by_name["vertex-batch"].has_credential
    assert not by_name["aistudio"].has_credential
    assert "simulator" not in by_name


def test_a_rehearsal_is_compared_with_real_tiers() -> None:
    _, found = compared(ROWS, Choices())

    assert named(found)["simulator"].has_credential
    assert named(found)["aistudio"].renders == 50


def test_what_comes_after_the_deadline_is_late() -> None:
    due = AT + timedelta(hours=1)
    _, found = compared(ROWS, Choices(tier=AUTO, deliver_by=due), **BOTH)

    assert named(found)["aistudio"].late_seconds == 0
    assert named(found)["aistudio-batch"].late_seconds == 23 * 3_600


def test_many_images_of_one_kind_are_spread_as_their_rows_would_be() -> None:
    limits = {tier: {"adaptive_start": 60, **WIDE} for tier in ("vertex", "aistudio")}
    limits["aistudio"]["requests_per_minute"] = 30
    listed = {"tiers": limits, "router": {"tiers": ["aistudio", "vertex"]}, **BOTH}
    rows: list[dict[str, object]] = [{"prompt": f"Lamp {number}"} for number in range(300)]

    plan, found = compared(rows, Choices(tier=AUTO), **listed)

    shares = {share.tier: share.renders for share in plan.shares}
    spread = {share.tier: share.renders for share in named(found)["cheapest"].shares}
    assert shares["vertex"] > shares["aistudio"] > 90
    assert abs(spread["vertex"] - shares["vertex"]) <= 10


def test_nothing_to_render_has_no_alternatives(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("prompt\n", encoding="utf-8")
    settings = Settings()
    market = Market(settings, REGISTRY, Outlook(AT), SERVED)
    books = db.open_engine("sqlite://")
    planner = Planner(books, settings, market, Choices(), _ALL)

    plan = planner.plan(Manifest.of_file(empty))

    assert alternatives(plan, settings, market) == []
