from __future__ import annotations

from datetime import date

import pytest

from darkroom.registry import Ask, Level, Reason, Refusal, Registry
from darkroom_manifests.tier import Tier

REGISTRY = Registry.load()
TODAY = date(2026, 11, 22)
NEWEST = "gemini-nano-banana-2.1"
FLASH = "gemini-3.1-flash-image"
LITE = "gemini-3.1-flash-lite-image"
PRO = "gemini-3-pro-image"
OLDEST = "gemini-2.5-flash-image"
IMAGEN = "imagen-4.0-generate-001"
FAST = "imagen-4.0-fast-generate-001"
ULTRA = "imagen-4.0-ultra-generate-001"
SIZES = ("512", "1K", "2K", "4K")
THINKING = ("minimal", "medium", "high")


def refused(ask: Ask, tier: Tier, on: date = TODAY, location: str | None = None) -> list[Reason]:
    return [refusal.code for refusal in REGISTRY.problems(ask, tier, on, location=location)]


def the_refusal(ask: Ask, tier: Tier, on: date = TODAY) -> Refusal:
    (refusal,) = REGISTRY.problems(ask, tier, on)
    return refusal


def test_the_default_model_grants_what_it_offers() -> None:
    ask = Ask(model=NEWEST, aspect_ratio="21:9", image_size="4K", thinking="high", references=14)

    assert REGISTRY.problems(ask, Tier.AISTUDIO, TODAY) == []


def test_an_unknown_model_is_refused_with_a_guess() -> None:
    refusal = the_refusal(Ask(model="gemini-3-pro-imgae"), Tier.VERTEX)

    assert (refusal.column, refusal.code) == ("model", Reason.MODEL_UNKNOWN)
    assert refusal.hint is not None
    assert refusal.hint.startswith("Did you mean gemini-3-pro-image")


def test_an_unknown_model_like_nothing_lists_what_the_tier_serves() -> None:
    refusal = the_refusal(Ask(model="dall-e-3"), Tier.VERTEX_FLEX)

    assert refusal.hint == f"vertex-flex serves {FLASH}, {LITE}, {PRO}."


@pytest.mark.parametrize("tier", list(Tier))
def test_a_retired_name_is_refused_on_every_tier(tier: Tier) -> None:
    refusal = the_refusal(Ask(model="gemini-3.1-flash-image-preview"), tier)

    assert refusal.code is Reason.MODEL_RETIRED
    assert refusal.hint is not None
    assert "gemini-3.1-flash-image" in refusal.hint


def test_a_retired_name_whose_successor_died_too_names_the_living_one() -> None:
    refusal = the_refusal(Ask(model="gemini-3.1-flash-image-preview"), Tier.AISTUDIO)

    assert refusal.hint == f"Its successor is {FLASH}; on aistudio write {NEWEST}."


def test_a_model_gone_from_one_provider_names_its_heir_and_where_it_lives() -> None:
    refusal = the_refusal(Ask(model=FLASH), Tier.AISTUDIO)

    assert refusal.code is Reason.MODEL_GONE
    assert refusal.message == f"{FLASH} on aistudio was shut down on 2026-10-29."
    assert refusal.hint == (
        f"Choose {NEWEST} ($0.0336 an image of 1K instead of $0.0672); or {FLASH} is served on "
        "vertex, vertex-flex, vertex-priority, vertex-provisioned or vertex-batch; "
        "or set allow_retired, if your endpoint still serves it."
    )


@pytest.mark.parametrize(
    ("model", "tier", "last", "first_without"),
    [
        (FLASH, Tier.AISTUDIO, date(2026, 10, 28), date(2026, 10, 29)),
        (OLDEST, Tier.AISTUDIO, date(2026, 10, 1), date(2026, 10, 2)),
        (OLDEST, Tier.VERTEX, date(2027, 3, 14), date(2027, 3, 15)),
        (IMAGEN, Tier.IMAGEN, date(2026, 8, 16), date(2026, 8, 17)),
    ],
)
def test_a_model_answers_until_the_day_before_its_shutdown(
    model: str, tier: Tier, last: date, first_without: date
) -> None:
    assert refused(Ask(model=model), tier, last) == []
    assert refused(Ask(model=model), tier, first_without) == [Reason.MODEL_GONE]


def test_a_model_does_not_answer_before_its_first_day() -> None:
    ask = Ask(model=NEWEST)

    assert refused(ask, Tier.VERTEX, date(2026, 10, 5)) == [Reason.MODEL_UNRELEASED]
    assert refused(ask, Tier.VERTEX, date(2026, 10, 6)) == []


@pytest.mark.parametrize(
    ("model", "size", "instead"),
    [
        (IMAGEN, None, f"{FLASH} on vertex ($0.0672 an image of 1K instead of $0.04)"),
        (IMAGEN, "2K", f"{FLASH} on vertex ($0.1008 an image of 2K instead of $0.04)"),
        (IMAGEN, "4K", f"{FLASH} on vertex ($0.1512 an image of 4K instead of $0.04 of 1K)"),
        (FAST, None, f"{FLASH} on vertex ($0.0672 an image of 1K instead of $0.02)"),
        (ULTRA, None, f"{PRO} on vertex ($0.1344 an image of 1K instead of $0.06)"),
    ],
)
def test_imagen_names_its_heir_on_another_tier_and_what_that_costs(
    model: str, size: str | None, instead: str
) -> None:
    refusal = the_refusal(Ask(model=model, image_size=size), Tier.IMAGEN)

    assert refusal.message == f"{model} on imagen was shut down on 2026-08-17."
    assert refusal.hint == (
        f"Choose {instead}; or set allow_retired, if your endpoint still serves it."
    )


@pytest.mark.parametrize("model", [IMAGEN, FAST, ULTRA])
def test_a_retired_model_is_judged_by_what_it_draws_where_that_is_allowed(model: str) -> None:
    fine = Ask(model=model, aspect_ratio="16:9", seed=7, negative_prompt="text")
    bad = Ask(model=model, aspect_ratio="21:9", image_size="4K", temperature=1.0, references=1)

    found = REGISTRY.problems(bad, Tier.IMAGEN, TODAY, allows_retired=True)

    assert REGISTRY.problems(fine, Tier.IMAGEN, TODAY, allows_retired=True) == []
    assert {refusal.code for refusal in found} == {
        Reason.RATIO_NOT_OFFERED,
        Reason.SIZE_NOT_OFFERED,
        Reason.TEMPERATURE_NOT_ACCEPTED,
        Reason.TOO_MANY_REFERENCES,
    }


@pytest.mark.parametrize(
    ("seed", "is_taken"), [(0, False), (1, True), (2**31 - 1, True), (2**31, False)]
)
def test_imagen_takes_the_seeds_that_google_takes(seed: int, *, is_taken: bool) -> None:
    ask = Ask(model=IMAGEN, seed=seed)

    found = REGISTRY.problems(ask, Tier.IMAGEN, TODAY, allows_retired=True)

    assert [each.code for each in found] == ([] if is_taken else [Reason.SEED_NOT_ACCEPTED])


def test_a_model_that_is_not_there_yet_is_not_retired() -> None:
    ask, before = Ask(model=NEWEST), date(2026, 10, 5)

    (refusal,) = REGISTRY.problems(ask, Tier.VERTEX, before, allows_retired=True)

    assert refusal.code is Reason.MODEL_UNRELEASED


@pytest.mark.parametrize(
    ("model", "tier"), [(IMAGEN, Tier.VERTEX), (IMAGEN, Tier.AISTUDIO), (PRO, Tier.IMAGEN)]
)
def test_a_model_is_refused_on_a_tier_of_the_other_wire(model: str, tier: Tier) -> None:
    assert refused(Ask(model=model), tier, date(2026, 6, 1)) == [Reason.MODEL_NOT_SERVED]


@pytest.mark.parametrize("model", list(REGISTRY.models))
def test_a_proxy_serves_every_model_that_ever_lived(model: str) -> None:
    assert refused(Ask(model=model), Tier.PROXY) == []


@pytest.mark.parametrize("model", list(REGISTRY.models))
def test_the_simulator_serves_every_model_whose_wire_it_speaks(model: str) -> None:
    imagen = model.startswith("imagen")

    expected = [Reason.MODEL_NOT_SERVED] if imagen else []
    assert refused(Ask(model=model), Tier.SIMULATOR) == expected


def test_no_hint_names_imagen_on_a_simulated_tier() -> None:
    wishes = [
        Ask(model=name, negative_prompt="text", seed=1, aspect_ratio="9:21", image_size="512")
        for name in [*REGISTRY.models, "imagen", "imagen-3.0-generate-002"]
    ]

    for tier in (Tier.SIMULATOR, Tier.SIMULATOR_BATCH):
        for ask in wishes:
            for refusal in REGISTRY.problems(ask, tier, TODAY):
                assert "imagen" not in (refusal.hint or "")


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        (NEWEST, Tier.VERTEX_FLEX),
        (OLDEST, Tier.VERTEX_FLEX),
        (OLDEST, Tier.VERTEX_PRIORITY),
    ],
)
def test_a_level_that_a_model_does_not_have_is_refused(model: str, tier: Tier) -> None:
    refusal = the_refusal(Ask(model=model), tier)

    assert (refusal.column, refusal.code) == ("tier", Reason.LEVEL_NOT_OFFERED)
    assert refusal.message == f"{model} is not offered on {tier}."
    assert refusal.hint is not None
    assert f"{tier} serves" in refusal.hint


def named(model: str, level: Level) -> list[Refusal]:
    return REGISTRY.problems(Ask(model=model), Tier.AISTUDIO, TODAY, level=level)


def test_a_level_that_is_named_is_refused_with_who_has_it_instead() -> None:
    (refusal,) = named(NEWEST, Level.PRIORITY)

    assert (refusal.column, refusal.code) == ("tier", Reason.LEVEL_NOT_OFFERED)
    assert refusal.message == f"{NEWEST} on aistudio has no level priority."
    assert refusal.hint == (
        f"{PRO} has it on aistudio; or {NEWEST} has it on vertex-priority; "
        "or leave service_tier out."
    )


@pytest.mark.parametrize(
    ("model", "level", "reasons"),
    [
        (PRO, Level.PRIORITY, []),
        (PRO, Level.STANDARD, []),
        (NEWEST, Level.STANDARD, []),
        (PRO, Level.FLEX, [Reason.LEVEL_NOT_OFFERED]),
        (LITE, Level.PRIORITY, [Reason.LEVEL_NOT_OFFERED]),
        (FLASH, Level.PRIORITY, [Reason.MODEL_GONE]),
    ],
)
def test_ai_studio_has_priority_for_one_model_and_flex_for_none(
    model: str, level: Level, reasons: list[Reason]
) -> None:
    assert [refusal.code for refusal in named(model, level)] == reasons


@pytest.mark.parametrize("tier", [Tier.VERTEX, Tier.SIMULATOR, Tier.PROXY])
@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        (NEWEST, {"1K", "2K", "4K"}),
        (FLASH, {"512", "1K", "2K", "4K"}),
        (LITE, {"1K"}),
        (PRO, {"1K", "2K", "4K"}),
        (OLDEST, {"1K"}),
    ],
)
def test_a_size_is_refused_unless_the_model_draws_it(
    model: str, sizes: set[str], tier: Tier
) -> None:
    granted = {size for size in SIZES if not refused(Ask(model=model, image_size=size), tier)}

    assert granted == sizes


@pytest.mark.parametrize("model", [NEWEST, FLASH, LITE, PRO, OLDEST])
def test_vertex_batch_draws_1k_only(model: str) -> None:
    granted = [
        size for size in SIZES if not refused(Ask(model=model, image_size=size), Tier.VERTEX_BATCH)
    ]

    assert granted == ["1K"]


def test_batch_of_ai_studio_draws_what_the_model_draws() -> None:
    assert refused(Ask(model=NEWEST, image_size="4K"), Tier.AISTUDIO_BATCH) == []


def test_a_size_that_the_tier_lacks_names_the_tiers_that_have_it() -> None:
    refusal = the_refusal(Ask(model=NEWEST, image_size="4K"), Tier.VERTEX_BATCH)

    assert refusal == Refusal(
        "image_size",
        Reason.SIZE_NOT_OFFERED,
        f"{NEWEST} on vertex-batch does not draw 4K.",
        f"4K is drawn by {NEWEST} on vertex, vertex-priority or vertex-provisioned; or choose 1K.",
    )


def test_a_size_that_the_model_lacks_names_the_models_that_have_it() -> None:
    refusal = the_refusal(Ask(model=NEWEST, image_size="512"), Tier.VERTEX)

    assert refusal.hint == f"512 is drawn by {FLASH} on vertex; or choose 1K, 2K or 4K."


def test_a_hint_names_no_model_that_is_dead_on_the_tier() -> None:
    refusal = the_refusal(Ask(model=NEWEST, image_size="512"), Tier.AISTUDIO)

    assert refusal.hint == "Choose 1K, 2K or 4K."


def test_a_ratio_that_is_listed_but_does_not_work_is_refused() -> None:
    refusal = the_refusal(Ask(model=NEWEST, aspect_ratio="9:21"), Tier.VERTEX)

    assert (refusal.column, refusal.code) == ("aspect_ratio", Reason.RATIO_NOT_OFFERED)
    assert refusal.hint is not None
    assert refusal.hint.startswith("Choose 1:1, 1:4,")


def test_an_extreme_ratio_is_refused_where_the_model_has_only_ten() -> None:
    refusal = the_refusal(Ask(model=PRO, aspect_ratio="8:1"), Tier.VERTEX)

    assert refusal.hint is not None
    assert refusal.hint.startswith(f"8:1 is drawn by {NEWEST}, {FLASH} or {LITE} on vertex; or")


@pytest.mark.parametrize("tier", [Tier.VERTEX, Tier.SIMULATOR])
def test_the_newest_model_takes_neither_seed_nor_temperature(tier: Tier) -> None:
    ask = Ask(model=NEWEST, seed=7, temperature=0.5)

    assert refused(ask, tier) == [Reason.SEED_NOT_ACCEPTED, Reason.TEMPERATURE_NOT_ACCEPTED]


def test_a_refused_seed_names_who_takes_it() -> None:
    refusal = the_refusal(Ask(model=NEWEST, seed=0), Tier.VERTEX)

    assert refusal.column == "seed"
    assert refusal.hint == f"seed is taken by {FLASH}, {LITE} or {PRO} on vertex; or leave it out."


@pytest.mark.parametrize(
    ("temperature", "reasons"),
    [
        (0.0, []),
        (2.0, []),
        (2.1, [Reason.TEMPERATURE_OUT_OF_RANGE]),
        (-0.1, [Reason.TEMPERATURE_OUT_OF_RANGE]),
        (float("nan"), [Reason.TEMPERATURE_OUT_OF_RANGE]),
    ],
)
def test_a_temperature_must_lie_in_the_range(temperature: float, reasons: list[Reason]) -> None:
    assert refused(Ask(model=FLASH, temperature=temperature), Tier.VERTEX) == reasons


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        (NEWEST, ["minimal", "medium", "high"]),
        (FLASH, ["minimal", "high"]),
        (LITE, ["minimal", "high"]),
        (PRO, ["high"]),
        (OLDEST, []),
    ],
)
def test_a_thinking_level_is_refused_unless_the_model_has_it(model: str, levels: list[str]) -> None:
    granted = [
        level for level in THINKING if not refused(Ask(model=model, thinking=level), Tier.VERTEX)
    ]

    assert granted == levels


def test_a_model_that_does_not_think_says_so() -> None:
    refusal = the_refusal(Ask(model=OLDEST, thinking="high"), Tier.VERTEX)

    assert refusal.hint == "Leave it out: this model does not think."


@pytest.mark.parametrize(("model", "most"), [(NEWEST, 14), (PRO, 14), (OLDEST, 3)])
def test_one_reference_too_many_is_refused(model: str, most: int) -> None:
    assert refused(Ask(model=model, references=most), Tier.VERTEX) == []
    assert refused(Ask(model=model, references=most + 1), Tier.VERTEX) == [
        Reason.TOO_MANY_REFERENCES
    ]


def test_a_model_without_references_says_so() -> None:
    refusal = the_refusal(Ask(model=IMAGEN, references=1), Tier.PROXY)

    assert refusal.message == f"{IMAGEN} on proxy takes no reference images."


def test_only_imagen_takes_a_negative_prompt() -> None:
    granted = [
        model
        for model in REGISTRY.models
        if not refused(Ask(model=model, negative_prompt="text"), Tier.PROXY)
    ]

    assert granted == [name for name in REGISTRY.models if name.startswith("imagen")]


def test_messages_and_hints_are_sentences() -> None:
    asks = [
        Ask(model=name, image_size="512", aspect_ratio="7:5", seed=1, temperature=3.0)
        for name in [*REGISTRY.models, "gemini-3-pro-imgae", "dall-e-3", "imagen-3.0-generate-002"]
    ]
    names = (*REGISTRY.models, *Tier, "seed", "temperature", "negative_prompt")

    for tier in Tier:
        for ask in asks:
            for refusal in REGISTRY.problems(ask, tier, TODAY):
                for said in filter(None, (refusal.message, refusal.hint)):
                    assert said.startswith(names) or not said[0].islower(), said
                    assert said[-1] in ".?"
                    assert said[-2] not in ".?"
                    assert "'" not in said


def test_every_broken_wish_of_a_row_is_reported_at_once() -> None:
    ask = Ask(
        model=NEWEST,
        image_size="512",
        aspect_ratio="7:5",
        seed=1,
        temperature=1.0,
        thinking="low",
        negative_prompt="text",
        references=15,
    )

    columns = [refusal.column for refusal in REGISTRY.problems(ask, Tier.VERTEX_FLEX, TODAY)]

    assert columns == [
        "tier",
        "image_size",
        "aspect_ratio",
        "seed",
        "temperature",
        "thinking",
        "negative_prompt",
        "references",
    ]


@pytest.mark.parametrize(
    ("model", "tier", "location", "reasons"),
    [
        (NEWEST, Tier.VERTEX, "global", []),
        (NEWEST, Tier.VERTEX, "us", [Reason.LOCATION_NOT_OFFERED]),
        (FLASH, Tier.VERTEX, "eu", []),
        (FLASH, Tier.VERTEX_FLEX, "eu", [Reason.LOCATION_NOT_OFFERED]),
        (FLASH, Tier.VERTEX_FLEX, "global", []),
        (FLASH, Tier.VERTEX_PRIORITY, "eu", []),
        (FLASH, Tier.VERTEX_PRIORITY, "us-central1", [Reason.LOCATION_NOT_OFFERED]),
        (OLDEST, Tier.VERTEX, "us-central1", []),
        (NEWEST, Tier.AISTUDIO, "us", []),
    ],
)
def test_a_location_is_refused_where_the_model_is_known_to_be_elsewhere(
    model: str, tier: Tier, location: str, reasons: list[Reason]
) -> None:
    assert refused(Ask(model=model), tier, location=location) == reasons
