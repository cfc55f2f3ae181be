from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.registry import Ask, Estimate, Level, Registry, Usage
from darkroom_manifests.tier import Tier

REGISTRY = Registry.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEWEST = "gemini-nano-banana-2.1"
FLEX_ON_AI_STUDIO = """
[[prices]]
model = "gemini-3-pro-image"
providers = ["aistudio"]
level = "flex"
valid_from = 2026-05-28
text_in = "1"
image_in = "1"
text_out = "6"
image_out = "60"
source = "made up"
checked = 2026-11-22
"""


def estimate(ask: Ask, tier: Tier, location: str = "global") -> Estimate:
    found = REGISTRY.estimate(ask, tier, NOW, location=location)
    assert found is not None
    return found


def test_low_is_the_image_and_the_prompt_alone() -> None:
    found = estimate(Ask(model=NEWEST, prompt_chars=401), Tier.VERTEX)

    assert found.low == 33_600_000 + 101 * 1_500


def test_likely_adds_typical_thoughts_of_the_level() -> None:
    asks = [Ask(model=NEWEST, thinking=level) for level in ("minimal", "medium", "high")]

    likely = [estimate(ask, Tier.VERTEX).likely - 33_600_000 for ask in asks]

    assert likely == [0, 220 * 7_500, 400 * 7_500]


def test_no_level_means_the_models_own_default() -> None:
    asked = estimate(Ask(model=NEWEST, thinking="medium"), Tier.VERTEX)

    assert estimate(Ask(model=NEWEST), Tier.VERTEX) == asked


def test_references_are_input() -> None:
    without = estimate(Ask(model=NEWEST), Tier.VERTEX)

    found = estimate(Ask(model=NEWEST, references=3), Tier.VERTEX)

    assert found.low - without.low == 3 * 1_680_000


def test_a_model_that_does_not_think_may_still_talk() -> None:
    found = estimate(Ask(model="gemini-2.5-flash-image"), Tier.VERTEX)

    assert found.low == found.likely == 38_700_000
    assert found.high > found.likely


def test_imagen_costs_its_price_per_image_whatever_the_prompt() -> None:
    found = estimate(Ask(model="imagen-4", prompt_chars=900), Tier.SIMULATOR)

    assert found.low == found.likely == found.high == 40_000_000


def test_bought_throughput_reserves_what_its_overflow_would_cost() -> None:
    ask = Ask(model=NEWEST, prompt_chars=100)

    found = estimate(ask, Tier.VERTEX_PROVISIONED)

    assert (found.low, found.likely) == (0, 0)
    assert found.high == estimate(ask, Tier.VERTEX).high


def test_priority_reserves_its_own_price_though_it_may_be_downgraded() -> None:
    ask = Ask(model=NEWEST, prompt_chars=100)

    found = estimate(ask, Tier.VERTEX_PRIORITY)

    assert found.low == 60_480_000 + 25 * 2_700
    assert found.high > estimate(ask, Tier.VERTEX).high


def test_flex_on_vertex_reserves_its_own_price_because_nothing_else_may_serve() -> None:
    ask = Ask(model="gemini-3.1-flash-image", prompt_chars=100)

    assert estimate(ask, Tier.VERTEX_FLEX).high * 2 == estimate(ask, Tier.VERTEX).high


def test_a_level_that_is_named_reserves_the_dearer_of_itself_and_standard(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text(FLEX_ON_AI_STUDIO, encoding="utf-8")
    registry, ask = Registry.load(file), Ask(model="gemini-3-pro-image")

    flex, standard, priority = (
        registry.estimate(ask, Tier.AISTUDIO, NOW, level=level)
        for level in (Level.FLEX, Level.STANDARD, Level.PRIORITY)
    )

    assert flex is not None
    assert standard is not None
    assert priority is not None
    assert flex.low * 2 == standard.low
    assert flex.high == standard.high < priority.high


def test_the_surcharge_of_a_location_is_in_the_estimate() -> None:
    found = estimate(Ask(model="gemini-3.1-flash-image"), Tier.VERTEX, location="eu")

    assert found.low == 73_920_000


def test_an_estimate_names_the_price_list_it_was_made_from() -> None:
    assert estimate(Ask(model=NEWEST), Tier.VERTEX).version == "2026-11-22"


def test_an_unknown_price_makes_no_estimate() -> None:
    assert REGISTRY.estimate(Ask(model=NEWEST), Tier.PROXY, NOW) is None


def test_what_is_refused_cannot_be_estimated() -> None:
    with pytest.raises(LookupError):
        REGISTRY.estimate(Ask(model=NEWEST, image_size="8K"), Tier.VERTEX, NOW)


@given(
    chars=st.integers(0, 32_000),
    references=st.integers(0, 14),
    size=st.sampled_from(["1K", "2K", "4K"]),
    thoughts=st.integers(0, 1_200),
    prompt_tokens=st.floats(0, 1),
)
def test_high_bounds_every_bill_up_to_a_token_a_character(
    chars: int, references: int, size: str, thoughts: int, prompt_tokens: float
) -> None:
    ask = Ask(model=NEWEST, image_size=size, references=references, prompt_chars=chars)
    price = REGISTRY.price(NEWEST, Tier.VERTEX, NOW)
    assert price is not None
    usage = Usage(
        prompt_tokens=int(chars * prompt_tokens) + 1_120 * references,
        image_tokens=REGISTRY.expected(ask).image_tokens,
        thought_tokens=thoughts,
    )

    found = estimate(ask, Tier.VERTEX)

    assert price.charge(usage, 1) <= found.high
    assert found.low <= found.likely <= found.high
