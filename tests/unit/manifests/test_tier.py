from __future__ import annotations

import pytest

from darkroom_manifests.tier import AUTO, Provider, Tier, parse_choice


@pytest.mark.parametrize("tier", Tier)
def test_a_tier_is_read_by_its_own_name(tier: Tier) -> None:
    assert Tier.parse(tier.value) is tier


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        (" Vertex_Batch ", Tier.VERTEX_BATCH),
        ("agent-platform", Tier.VERTEX),
        ("Agent Platform Flex", Tier.VERTEX_FLEX),
    ],
)
def test_people_may_write_a_tier_their_way(name: str, tier: Tier) -> None:
    assert Tier.parse(name) is tier


@pytest.mark.parametrize("name", ["", "standard", "vert", "batch", "vertex batch 2"])
def test_no_tier_is_guessed(name: str) -> None:
    with pytest.raises(ValueError, match="is not a tier"):
        Tier.parse(name)


def test_imagen_is_on_vertex_s_bill() -> None:
    assert Tier.IMAGEN.provider is Provider.VERTEX


def test_batch_tiers_are_those_whose_attempts_travel_together() -> None:
    assert {tier for tier in Tier if tier.is_batch} == {
        Tier.AISTUDIO_BATCH,
        Tier.VERTEX_BATCH,
        Tier.SIMULATOR_BATCH,
    }


def test_only_the_simulator_costs_nothing() -> None:
    assert {tier for tier in Tier if tier.is_simulated} == {Tier.SIMULATOR, Tier.SIMULATOR_BATCH}


@pytest.mark.parametrize(("name", "choice"), [(" Auto", AUTO), ("vertex_batch", Tier.VERTEX_BATCH)])
def test_where_a_tier_is_asked_for_it_may_be_left_to_the_router(name: str, choice: object) -> None:
    assert parse_choice(name) is choice


def test_auto_is_no_tier() -> None:
    with pytest.raises(ValueError, match="is not a tier"):
        Tier.parse("auto")
