from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.registry import Level, Model, Price, Registry, Usage
from darkroom_manifests.money import dollars
from darkroom_manifests.tier import Provider, Tier

REGISTRY = Registry.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEWEST = "gemini-nano-banana-2.1"
FLASH = "gemini-3.1-flash-image"
LITE = "gemini-3.1-flash-lite-image"
PRO = "gemini-3-pro-image"
OLDEST = "gemini-2.5-flash-image"

# Dollars for the image alone, exactly: output tokens times Google's rate.
IMAGES = [
    (NEWEST, Tier.VERTEX, {"1K": "0.033600", "2K": "0.050400", "4K": "0.113400"}),
    (NEWEST, Tier.AISTUDIO_BATCH, {"1K": "0.016800", "2K": "0.025200", "4K": "0.056700"}),
    (NEWEST, Tier.VERTEX_PRIORITY, {"1K": "0.060480", "2K": "0.090720", "4K": "0.204120"}),
    (FLASH, Tier.VERTEX, {"512": "0.044820", "1K": "0.067200", "2K": "0.100800", "4K": "0.151200"}),
    (
        FLASH,
        Tier.VERTEX_FLEX,
        {"512": "0.022410", "1K": "0.033600", "2K": "0.050400", "4K": "0.075600"},
    ),
    (FLASH, Tier.VERTEX_BATCH, {"1K": "0.033600"}),
    (
        FLASH,
        Tier.VERTEX_PRIORITY,
        {"512": "0.080676", "1K": "0.120960", "2K": "0.181440", "4K": "0.272160"},
    ),
    (LITE, Tier.AISTUDIO, {"1K": "0.033600"}),
    (LITE, Tier.VERTEX_FLEX, {"1K": "0.016800"}),
    (LITE, Tier.VERTEX_PRIORITY, {"1K": "0.060480"}),
    (PRO, Tier.AISTUDIO, {"1K": "0.134400", "2K": "0.134400", "4K": "0.240000"}),
    (PRO, Tier.VERTEX_FLEX, {"1K": "0.067200", "2K": "0.067200", "4K": "0.120000"}),
    (PRO, Tier.AISTUDIO_BATCH, {"1K": "0.067200", "2K": "0.067200", "4K": "0.120000"}),
    (PRO, Tier.VERTEX_PRIORITY, {"1K": "0.241920", "2K": "0.241920", "4K": "0.432000"}),
    (OLDEST, Tier.VERTEX, {"1K": "0.038700"}),
    (OLDEST, Tier.VERTEX_BATCH, {"1K": "0.019350"}),
    ("imagen-4.0-generate-001", Tier.IMAGEN, {"1K": "0.040000", "2K": "0.040000"}),
    ("imagen-4.0-fast-generate-001", Tier.IMAGEN, {"1K": "0.020000"}),
    ("imagen-4.0-ultra-generate-001", Tier.IMAGEN, {"1K": "0.060000", "2K": "0.060000"}),
]

# Nano-dollars per token: input, text out, image out.
RATES = [
    (NEWEST, Tier.AISTUDIO, (1_500, 7_500, 30_000)),
    (NEWEST, Tier.VERTEX_BATCH, (750, 3_750, 15_000)),
    (NEWEST, Tier.VERTEX_PRIORITY, (2_700, 13_500, 54_000)),
    (FLASH, Tier.VERTEX, (500, 3_000, 60_000)),
    (FLASH, Tier.VERTEX_FLEX, (250, 1_500, 30_000)),
    (FLASH, Tier.VERTEX_PRIORITY, (900, 5_400, 108_000)),
    (LITE, Tier.AISTUDIO, (250, 1_500, 30_000)),
    (LITE, Tier.AISTUDIO_BATCH, (125, 750, 15_000)),
    (LITE, Tier.VERTEX_PRIORITY, (450, 2_700, 54_000)),
    (PRO, Tier.AISTUDIO, (2_000, 12_000, 120_000)),
    (PRO, Tier.VERTEX_BATCH, (1_000, 6_000, 60_000)),
    (PRO, Tier.VERTEX_PRIORITY, (3_600, 21_600, 216_000)),
    (OLDEST, Tier.VERTEX, (300, 2_500, 30_000)),
    (OLDEST, Tier.VERTEX_BATCH, (150, 1_250, 15_000)),
]


def model(name: str) -> Model:
    return REGISTRY.models[name]


def price(
    name: str,
    tier: Tier,
    at: datetime = NOW,
    served: Level | None = None,
    location: str = "global",
) -> Price:
    found = REGISTRY.price(name, tier, at, served=served, location=location)
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "tier", "by_size"), IMAGES)
def test_an_image_costs_what_google_lists(name: str, tier: Tier, by_size: dict[str, str]) -> None:
    listed = price(name, tier)

    computed = {
        size: dollars(listed.charge(Usage(image_tokens=model(name).sizes[size]), 1))
        for size in model(name).draws(tier)
    }

    assert computed == by_size


@pytest.mark.parametrize(("name", "tier", "rates"), RATES)
def test_a_token_costs_what_google_lists(
    name: str, tier: Tier, rates: tuple[int, int, int]
) -> None:
    listed = price(name, tier)

    assert (listed.text_in, listed.text_out, listed.image_out) == rates
    assert listed.image_in == listed.text_in


@pytest.mark.parametrize(
    ("name", "nusd"), [(NEWEST, 1_680_000), (FLASH, 560_000), (LITE, 280_000), (PRO, 1_120_000)]
)
def test_an_input_image_costs_what_google_lists(name: str, nusd: int) -> None:
    tokens = model(name).input_image_tokens

    charge = price(name, Tier.VERTEX).charge(
        Usage(prompt_tokens=tokens, input_image_tokens=tokens), 0
    )

    assert charge == nusd


def test_thoughts_are_charged_as_text_beside_the_candidates() -> None:
    usage = Usage(prompt_tokens=533, image_tokens=1_120, thought_tokens=217)

    charge = price(PRO, Tier.AISTUDIO).charge(usage, 1)

    assert charge == 533 * 2_000 + 1_120 * 120_000 + 217 * 12_000


def test_cached_input_costs_a_tenth_and_keeps_that_price_in_batch() -> None:
    usage = Usage(prompt_tokens=1_000, cached_tokens=400)

    assert price(NEWEST, Tier.AISTUDIO).charge(usage, 0) == 600 * 1_500 + 400 * 150
    assert price(NEWEST, Tier.AISTUDIO_BATCH).charge(usage, 0) == 600 * 750 + 400 * 150


def test_tool_tokens_are_input() -> None:
    assert price(NEWEST, Tier.VERTEX).charge(Usage(tool_tokens=10), 0) == 15_000


def test_input_images_have_their_own_rate() -> None:
    listed = Price(
        version="x", tier_level=Level.STANDARD, text_in=10, image_in=30, cached_in=1, text_out=1
    )
    usage = Usage(prompt_tokens=100, input_image_tokens=60, cached_tokens=50)

    charge = listed.charge(usage, 1)

    assert charge == 50 * 1 + 50 * 30  # 40 words and 10 tokens of the pictures came from the cache


def test_imagen_is_charged_by_the_delivered_image() -> None:
    listed = price("imagen-4.0-ultra-generate-001", Tier.IMAGEN)

    assert listed.charge(Usage(), 3) == 180_000_000
    assert listed.charge(Usage(), 0) == 0


@pytest.mark.parametrize("name", list(REGISTRY.models))
def test_the_simulator_bills_like_ai_studio(name: str) -> None:
    assert price(name, Tier.SIMULATOR) == price(name, Tier.AISTUDIO)


def test_the_simulated_batch_bills_like_batch() -> None:
    assert price(NEWEST, Tier.SIMULATOR_BATCH) == price(NEWEST, Tier.AISTUDIO_BATCH)


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        (NEWEST, Tier.PROXY),
        (NEWEST, Tier.VERTEX_FLEX),
        ("imagen-4.0-generate-001", Tier.SIMULATOR_BATCH),
        ("gemini-3-pro-image-preview", Tier.VERTEX),
        ("dall-e-3", Tier.SIMULATOR),
    ],
)
def test_a_price_nobody_lists_is_unknown_not_zero(name: str, tier: Tier) -> None:
    assert REGISTRY.price(name, tier, NOW) is None


def test_bought_throughput_costs_nothing_more_and_its_overflow_the_standard_price() -> None:
    bought = price(NEWEST, Tier.VERTEX_PROVISIONED)
    overflow = price(NEWEST, Tier.VERTEX_PROVISIONED, served=Level.STANDARD)

    assert bought.charge(Usage(prompt_tokens=100, image_tokens=1_120), 1) == 0
    assert overflow == price(NEWEST, Tier.VERTEX)


def test_a_downgraded_request_is_billed_at_the_level_that_served_it() -> None:
    downgraded = price(NEWEST, Tier.VERTEX_PRIORITY, served=Level.STANDARD)

    assert downgraded.tier_level is Level.STANDARD
    assert downgraded == price(NEWEST, Tier.VERTEX)


def test_ai_studio_bills_priority_where_it_sells_it() -> None:
    listed = price(PRO, Tier.AISTUDIO, served=Level.PRIORITY)

    assert listed.charge(Usage(image_tokens=1_120), 1) == 241_920_000
    assert REGISTRY.price(NEWEST, Tier.AISTUDIO, NOW, served=Level.PRIORITY) is None


def test_vertex_without_headers_may_be_served_by_bought_throughput() -> None:
    bought = price(FLASH, Tier.VERTEX, served=Level.PROVISIONED)

    assert bought.charge(Usage(prompt_tokens=100, image_tokens=1_120), 1) == 0


def test_a_price_begins_at_midnight_utc_of_its_first_day() -> None:
    midnight = datetime(2026, 10, 6, tzinfo=UTC)

    assert REGISTRY.price(NEWEST, Tier.VERTEX, midnight - timedelta(microseconds=1)) is None
    assert REGISTRY.price(NEWEST, Tier.VERTEX, midnight) is not None


def test_the_day_of_a_price_is_counted_in_utc() -> None:
    still_the_fifth_in_utc = datetime(2026, 10, 6, 1, tzinfo=timezone(timedelta(hours=2)))

    assert REGISTRY.price(NEWEST, Tier.VERTEX, still_the_fifth_in_utc) is None


@pytest.mark.parametrize(
    ("location", "at", "percent"),
    [
        ("global", NOW, 0),
        ("eu", NOW, 10),
        ("eu", datetime(2026, 6, 30, tzinfo=UTC), 0),
        ("us-central1", datetime(2026, 7, 1, tzinfo=UTC), 10),
    ],
)
def test_vertex_adds_ten_percent_outside_its_global_endpoint(
    location: str, at: datetime, percent: int
) -> None:
    listed = price(FLASH, Tier.VERTEX, at, location=location)

    assert listed.charge(Usage(image_tokens=1_120), 1) == 67_200_000 * (100 + percent) // 100


def test_ai_studio_knows_no_locations() -> None:
    assert price(NEWEST, Tier.AISTUDIO, location="eu") == price(NEWEST, Tier.AISTUDIO)


def test_a_charge_with_a_surcharge_is_rounded_up() -> None:
    listed = price(LITE, Tier.VERTEX_BATCH, location="eu")

    assert listed.charge(Usage(prompt_tokens=1), 0) == 138  # 137.5


@pytest.mark.parametrize("name", list(REGISTRY.models))
@pytest.mark.parametrize("provider", [Provider.AISTUDIO, Provider.VERTEX])
def test_every_level_a_model_offers_has_a_price(name: str, provider: Provider) -> None:
    offer = model(name).offers[provider]
    tiers = {Provider.AISTUDIO: Tier.AISTUDIO, Provider.VERTEX: Tier.VERTEX}
    first_day = datetime(offer.ga.year, offer.ga.month, offer.ga.day, tzinfo=UTC)

    found = {
        level: REGISTRY.price(name, tiers[provider], first_day, served=level)
        for level in offer.levels
    }

    assert None not in found.values()


counts = st.integers(min_value=0, max_value=200_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prompt = draw(counts)
    return Usage(
        prompt_tokens=prompt,
        input_image_tokens=draw(st.integers(0, prompt)),
        cached_tokens=draw(st.integers(0, prompt)),
        tool_tokens=draw(counts),
        image_tokens=draw(counts),
        text_tokens=draw(counts),
        thought_tokens=draw(counts),
    )


listed_prices = st.sampled_from([price(name, tier) for name, tier, _ in IMAGES])


@pytest.mark.parametrize("tier", [Tier.AISTUDIO, Tier.AISTUDIO_BATCH, Tier.VERTEX_PROVISIONED])
def test_a_query_costs_the_same_on_every_level(tier: Tier) -> None:
    listed = price(NEWEST, tier)

    asked = Usage(prompt_tokens=10, searches=3)

    assert listed.charge(asked, 0) - listed.charge(Usage(prompt_tokens=10), 0) == 42_000_000


def test_a_surcharge_of_the_place_is_not_on_queries() -> None:
    listed = msgspec.structs.replace(price(NEWEST, Tier.VERTEX), surcharge_percent=10)

    assert listed.charge(Usage(searches=1), 0) == 14_000_000


@given(listed=listed_prices, one=usages(), other=usages(), images=st.integers(0, 4))
def test_two_answers_cost_what_both_cost(
    listed: Price, one: Usage, other: Usage, images: int
) -> None:
    both = Usage(
        **{field: getattr(one, field) + getattr(other, field) for field in Usage.__struct_fields__}
    )

    apart = listed.charge(one, images) + listed.charge(other, 1)

    assert listed.charge(both, images + 1) == apart


@given(
    rates=st.tuples(*[st.integers(0, 10**6)] * 6),
    usage=st.tuples(*[counts] * 8),
    images=st.integers(0, 4),
    percent=st.integers(0, 50),
)
def test_a_charge_is_never_negative_whatever_was_reported(
    rates: tuple[int, ...], usage: tuple[int, ...], images: int, percent: int
) -> None:
    text_in, image_in, cached_in, text_out, image_out, per_image = rates
    listed = Price(
        version="x",
        tier_level=Level.STANDARD,
        text_in=text_in,
        image_in=image_in,
        cached_in=cached_in,
        text_out=text_out,
        image_out=image_out,
        per_image=per_image,
        surcharge_percent=percent,
    )
    reported = Usage(**dict(zip(Usage.__struct_fields__, usage, strict=True)))

    assert listed.charge(reported, images) >= 0
