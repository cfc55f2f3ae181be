"""What an AI Studio account may do, and models that were shut down: what is planned."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from darkroom import presets
from darkroom.configure import load
from darkroom.draft import Choices, Draft
from darkroom.drafter import Drafter
from darkroom.registry import Registry
from darkroom.router import Market, Outlook
from darkroom.settings import Settings
from darkroom_manifests.problem import Problem
from darkroom_manifests.row import Row
from darkroom_manifests.tier import AUTO, Tier

AT = datetime(2026, 11, 22, tzinfo=UTC)
REGISTRY = Registry.load()
KEY: dict[str, Any] = {"aistudio": {"api_key": "k", "account_tier": "free"}}
PROJECT: dict[str, Any] = {"vertex": {"project": "p"}}
IMAGEN = "imagen-4.0-generate-001"
FLASH = "gemini-3.1-flash-image"


def judged(row: Row, choices: Choices | None = None, **given: Any) -> Draft | list[Problem]:
    settings = Settings.model_validate(given)
    market = Market(settings, REGISTRY, Outlook(AT), is_patient=False)
    found = Drafter(settings, market, choices or Choices()).draft(row, "rows", None)
    return found[0] if isinstance(found, tuple) else found


def tiers(row: Row, choices: Choices | None = None, **given: Any) -> list[Tier]:
    found = judged(row, choices, **given)
    assert isinstance(found, Draft), found
    return [bid.tier for bid in found.bids]


def refused(row: Row, **given: Any) -> Problem:
    found = judged(row, **given)
    assert isinstance(found, list)
    return found[0]


@pytest.mark.parametrize("name", ["tier-1", "Tier 1", "tier1", "TIER_1", "1", 1])
def test_an_account_tier_is_read_as_people_write_it(name: str | int) -> None:
    settings = Settings.model_validate({"aistudio": {"account_tier": name}})

    assert settings.aistudio.account_tier == "1"


@pytest.mark.parametrize("name", ["tier-4", "tier", "", "gold", 4])
def test_an_account_tier_that_google_has_not_is_refused(name: str | int) -> None:
    with pytest.raises(ValueError, match="free"):
        Settings.model_validate({"aistudio": {"account_tier": name}})


def test_each_account_tier_has_figures_that_are_dated() -> None:
    limits = {
        tier: Settings.model_validate({"aistudio": {"account_tier": tier}}).limits(Tier.AISTUDIO)
        for tier in presets.AccountTier
    }

    free, one = limits[presets.AccountTier.FREE], limits[presets.AccountTier.ONE]
    assert (free.requests_per_minute, free.requests_per_day, free.image_sizes) == (15, 20, ("1K",))
    assert (one.requests_per_minute, one.requests_per_day, one.image_sizes) == (10, 1_000, None)
    spent = [limits[tier].spend_per_window for tier in presets.AccountTier]
    assert spent == [None, Decimal(10), Decimal(50), Decimal(200)]
    assert presets.checked().year == 2026


def test_every_figure_of_an_account_can_be_overridden_and_taken_back(tmp_path: Path) -> None:
    env = {
        "DARKROOM_AISTUDIO__ACCOUNT_TIER": "free",
        "DARKROOM_TIERS__AISTUDIO__REQUESTS_PER_DAY": "none",
        "DARKROOM_TIERS__AISTUDIO__IMAGE_SIZES": "1K, 2K",
        "DARKROOM_TIERS__AISTUDIO_BATCH__OFFERED": "true",
    }

    settings = load({}, env, tmp_path).settings

    own = settings.limits(Tier.AISTUDIO)
    assert (own.requests_per_minute, own.requests_per_day) == (15, None)
    assert own.image_sizes == ("1K", "2K")
    assert settings.limits(Tier.AISTUDIO_BATCH).offered
    assert (
        load({}, env | {"DARKROOM_TIERS__AISTUDIO__IMAGE_SIZES": "all"}, tmp_path)
        .settings.limits(Tier.AISTUDIO)
        .image_sizes
        is None
    )


def test_a_free_account_draws_small_images_alone_and_has_no_batch() -> None:
    large = refused(Row(line=1, prompt="p", image_size="2K"), **KEY)
    batch = refused(Row(line=1, prompt="p", tier=Tier.AISTUDIO_BATCH), **KEY)

    assert tiers(Row(line=1, prompt="p"), **KEY) == [Tier.AISTUDIO]
    assert large.message == "aistudio with account tier free does not draw 2K."
    assert large.hint == "Choose 1K; or set tiers.aistudio.image_sizes."
    assert batch.message == "aistudio-batch with account tier free is not offered."
    assert Tier.AISTUDIO_BATCH not in Settings.model_validate(KEY).candidates()


def test_a_retired_model_is_refused_by_the_tier_that_had_it() -> None:
    row = Row(line=1, prompt="p", model=IMAGEN)

    found = refused(row, **PROJECT)

    assert found.message == f"{IMAGEN} on imagen was shut down on 2026-08-17."
    assert found.hint is not None
    assert found.hint.startswith(f"Choose {FLASH} on vertex ($0.0672 an image of 1K")


@pytest.mark.parametrize(
    "leave", [{"allow_retired": True}, {"tiers": {"imagen": {"allow_retired": True}}}]
)
def test_with_leave_a_row_without_a_tier_goes_where_its_model_is_spoken(
    leave: dict[str, Any],
) -> None:
    settings = {**PROJECT, **leave}

    assert tiers(Row(line=1, prompt="p", model=IMAGEN), **settings) == [Tier.IMAGEN]
    assert tiers(Row(line=1, prompt="p", model=FLASH), **settings) == [Tier.VERTEX]


def test_a_tier_that_is_named_is_not_left_for_another() -> None:
    row = Row(line=1, prompt="p", model=IMAGEN, tier=Tier.VERTEX)

    found = refused(row, allow_retired=True, **PROJECT)

    assert found.message == f"{IMAGEN} is not served on vertex."
    assert found.hint == f"Choose {FLASH}; or {IMAGEN} is served on imagen."


def test_leave_for_one_tier_is_none_for_another() -> None:
    settings = {"allow_retired": True, "tiers": {"imagen": {"allow_retired": False}}}
    row = Row(line=1, prompt="p", model=IMAGEN, tier=Tier.IMAGEN)

    assert "was shut down" in refused(row, **settings, **PROJECT).message


def test_auto_never_leaves_a_living_model_for_a_tier_where_it_was_shut_down() -> None:
    row = Row(line=1, prompt="p", model=FLASH)
    both = {**PROJECT, "aistudio": {"api_key": "k"}, "allow_retired": True}

    assert tiers(row, Choices(tier=AUTO), **both) == [Tier.VERTEX]


def test_a_seed_that_imagen_does_not_take_is_a_problem_of_its_row() -> None:
    fine, zero = (Row(line=1, prompt="p", model=IMAGEN, seed=seed) for seed in (7, 0))

    assert tiers(fine, allow_retired=True, **PROJECT) == [Tier.IMAGEN]
    assert refused(zero, allow_retired=True, **PROJECT).message == (
        f"{IMAGEN} on imagen takes no seed of 0."
    )
