"""Where a render goes, and why."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.registry import Ask, Registry
from darkroom.request import Reference, Request
from darkroom.router import Kind, Market, Outlook, Prospect, Router, Turnaround
from darkroom.router.router import SOME_DAY
from darkroom.settings import Settings
from darkroom_manifests.tier import AUTO, Tier

REGISTRY = Registry.load()
AT = datetime(2026, 11, 22, 20, tzinfo=UTC)  # noon Pacific
NEWEST, FLASH = "gemini-nano-banana-2.1", "gemini-3.1-flash-image"
SERVED = tuple(tier for tier in Tier if tier not in {Tier.IMAGEN, Tier.PROXY})
BOTH: dict[str, Any] = {
    "aistudio": {"api_key": "k"},
    "vertex": {"project": "p"},
    "staging_url": "gs://stage",
}
ON_DEMAND = ("aistudio", "vertex")
WIDE: dict[str, Any] = {"concurrency": 10_000, "spend_per_window": "1000"}
HOUR = 3_600.0
DAY = 24 * HOUR


def market(
    *tiers: str, tier_limits: dict[str, Any] | None = None, **prospects: Prospect
) -> tuple[Settings, Market]:
    tree: dict[str, Any] = {**BOTH, "tiers": tier_limits or {}}
    if tiers:
        tree["router"] = {"tiers": list(tiers)}
    own = Settings.model_validate(tree)
    known = {Tier(name.replace("_", "-")): each for name, each in prospects.items()}
    return own, Market(own, REGISTRY, Outlook(AT, known), SERVED)


def routed(
    made: tuple[Settings, Market],
    renders: int = 1,
    deadline: float = SOME_DAY,
    *,
    model: str = NEWEST,
    **asked: Any,
) -> Counter[Tier]:
    """How many of so many renders that are alike go to which tier."""
    own, asking = made
    router = Router(own, asking.outlook)
    bids = asking.bids(Kind(Ask(model=model, **asked), AUTO), 60).bids
    return Counter(router.place(bids, 1, deadline).bid.tier for _ in range(renders))


def test_without_a_deadline_the_cheapest_tier_is_chosen() -> None:
    assert routed(market("vertex", "vertex-batch")) == {Tier.VERTEX_BATCH: 1}


def test_of_equally_cheap_tiers_the_one_that_is_done_first_is_chosen() -> None:
    busy = Prospect(waiting=50)

    assert routed(market(*ON_DEMAND, aistudio=busy)) == {Tier.VERTEX: 1}
    assert routed(market(*ON_DEMAND, vertex=busy)) == {Tier.AISTUDIO: 1}


def test_equally_cheap_tiers_share_what_is_much() -> None:
    limits = {
        "aistudio": {"requests_per_minute": 30, **WIDE},
        "vertex": {"adaptive_start": 60, **WIDE},
    }

    shares = routed(market(*ON_DEMAND, tier_limits=limits), 300)

    assert shares[Tier.AISTUDIO] == pytest.approx(100, abs=2)
    assert shares[Tier.VERTEX] == pytest.approx(200, abs=2)


def test_4k_is_not_sent_to_vertex_batch() -> None:
    tiers = market("vertex", "vertex-batch")

    assert routed(tiers, image_size="4K") == {Tier.VERTEX: 1}
    assert routed(tiers, image_size="1K") == {Tier.VERTEX_BATCH: 1}


def test_a_model_without_flex_is_not_sent_there() -> None:
    tiers = market("vertex", "vertex-flex")

    assert routed(tiers, model=NEWEST) == {Tier.VERTEX: 1}
    assert routed(tiers, model=FLASH) == {Tier.VERTEX_FLEX: 1}


def test_a_model_that_is_gone_at_one_provider_is_sent_to_the_other() -> None:
    assert routed(market(*ON_DEMAND), model=FLASH) == {Tier.VERTEX: 1}


def test_a_location_where_a_model_is_not_served_rules_vertex_out() -> None:
    abroad = {**BOTH, "vertex": {"project": "p", "location": "europe-west4"}}
    own = Settings.model_validate(abroad)

    found = Market(own, REGISTRY, Outlook(AT), SERVED).bids(Kind(Ask(model=NEWEST), AUTO), 60)

    assert {bid.tier.provider for bid in found.bids} == {"aistudio"}


def test_references_in_a_bucket_are_not_sent_to_ai_studio() -> None:
    request = Request(prompt="p", references=(Reference("gs://b/x.png", "image/png"),))
    _, asking = market()

    found = asking.bids(Kind.of(request, NEWEST, AUTO), 60)

    assert {bid.tier.provider for bid in found.bids} == {"vertex"}


def test_a_deadline_rules_out_what_comes_too_late() -> None:
    tiers = market("aistudio", "aistudio-batch")

    assert routed(tiers, deadline=HOUR) == {Tier.AISTUDIO: 1}
    assert routed(tiers, deadline=25 * HOUR) == {Tier.AISTUDIO_BATCH: 1}


def test_when_a_tiers_time_is_used_up_the_next_one_takes_the_rest() -> None:
    limits = {tier: {"adaptive_start": 60, **WIDE} for tier in ("vertex", "vertex-flex")}
    tiers = market("vertex", "vertex-flex", tier_limits=limits)

    shares = routed(tiers, 400, 900 + 300, model=FLASH)

    assert shares == {Tier.VERTEX_FLEX: 301, Tier.VERTEX: 99}


def test_when_no_tier_is_in_time_the_fastest_is_chosen() -> None:
    own, asking = market("aistudio", "aistudio-batch")
    bids = asking.bids(Kind(Ask(model=NEWEST), AUTO), 60).bids

    placement = Router(own, asking.outlook).place(bids, 1, 10.0)

    assert (placement.bid.tier, placement.finish) == (Tier.AISTUDIO, 45.0)


def test_what_waits_on_a_tier_already_comes_first() -> None:
    limits = {"vertex-flex": {"adaptive_start": 60, **WIDE}}
    queued = market("vertex", "vertex-flex", tier_limits=limits, vertex_flex=Prospect(waiting=301))

    assert routed(queued, deadline=900 + 300, model=FLASH) == {Tier.VERTEX: 1}


def test_waiting_times_of_our_own_count_before_the_usual_ones() -> None:
    quick = Prospect(turnaround=Turnaround(600, 1_800))

    assert routed(market("aistudio", "aistudio-batch", aistudio_batch=quick), deadline=HOUR) == {
        Tier.AISTUDIO_BATCH: 1
    }


def test_a_day_of_requests_that_is_used_up_ends_at_midnight_pacific() -> None:
    limits = {"aistudio": {"requests_per_day": 100, "requests_per_minute": 6_000}}
    own, asking = market("aistudio", tier_limits=limits, aistudio=Prospect(today=90))
    bids = asking.bids(Kind(Ask(model=NEWEST), AUTO), 60).bids
    router = Router(own, asking.outlook)

    finishes = [router.place(bids, 1).finish for _ in range(111)]

    assert finishes[9] < HOUR
    assert 12 * HOUR < finishes[10] < finishes[109] < 13 * HOUR
    assert finishes[110] > 36 * HOUR


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({"requests_per_minute": 30}, 2.0),
        ({"requests_per_minute": 600, "images_per_minute": 20}, 3.0),
        ({"requests_per_minute": 600, "tokens_per_minute": 320}, 3.0),
        ({"requests_per_minute": 600, "spend_per_window": "1.00"}, 600 * 0.035274),
        ({"requests_per_minute": 600, "concurrency": 1}, 15.0),
        ({"requests_per_minute": 600, "concurrency": 4, "fleet_concurrency": 2}, 7.5),
    ],
)
def test_the_strictest_limit_sets_the_pace(limits: dict[str, Any], seconds: float) -> None:
    _, asking = market("aistudio", tier_limits={"aistudio": WIDE | limits})

    (bid,) = asking.bids(Kind(Ask(model=NEWEST), AUTO), 60).bids

    assert bid.spacing == pytest.approx(seconds, rel=0.01)


def test_a_learned_rate_is_believed() -> None:
    _, asking = market("vertex", vertex=Prospect(learned={NEWEST: 120.0}))

    (bid,) = asking.bids(Kind(Ask(model=NEWEST), AUTO), 60).bids

    assert bid.spacing == 0.5


def test_batch_has_a_waiting_time_and_no_rate() -> None:
    assert routed(market("aistudio-batch"), 1_000, DAY) == {Tier.AISTUDIO_BATCH: 1_000}


def test_a_tier_that_rests_is_passed_by_until_it_goes_on() -> None:
    stopped = market(*ON_DEMAND, aistudio=Prospect(rests={"*": float("inf")}, waiting=0))
    pausing = market(*ON_DEMAND, aistudio=Prospect(rests={NEWEST: 300.0}))

    assert routed(stopped, 50) == {Tier.VERTEX: 50}
    assert routed(pausing, deadline=60.0) == {Tier.VERTEX: 1}


def test_paid_up_tiers_are_chosen_only_when_they_are_listed() -> None:
    paid_up = {Tier.VERTEX_PRIORITY, Tier.VERTEX_PROVISIONED}
    _, usual = market()
    _, listed = market("vertex", "vertex-provisioned")

    assert not paid_up & set(usual.candidates)
    assert listed.candidates == [Tier.VERTEX, Tier.VERTEX_PROVISIONED]


def test_without_a_credential_auto_rehearses() -> None:
    assert Settings().candidates(SERVED) == [Tier.SIMULATOR, Tier.SIMULATOR_BATCH]


def test_real_and_simulated_tiers_are_never_mixed() -> None:
    mixed = Settings.model_validate(BOTH | {"router": {"tiers": ["simulator", "vertex"]}})
    rehearsal = Settings.model_validate(BOTH | {"router": {"tiers": ["simulator"]}})

    assert mixed.candidates(SERVED) == [Tier.VERTEX]
    assert rehearsal.candidates(SERVED) == [Tier.SIMULATOR]


def test_auto_with_nothing_to_choose_from_says_so() -> None:
    own = Settings.model_validate({"router": {"tiers": ["vertex"]}})

    found = Market(own, REGISTRY, Outlook(AT), SERVED).bids(Kind(Ask(model=NEWEST), AUTO), 60)

    assert found.bids == ()
    assert "router.tiers" in str(found.refusals[0].hint)


def test_of_refusals_those_of_the_nearest_tier_are_told() -> None:
    _, asking = market("aistudio", "vertex-batch")
    kind = Kind(Ask(model=NEWEST, image_size="4K", seed=1), AUTO)

    found = asking.bids(kind, 60)

    assert [refusal.column for refusal in found.refusals] == ["seed"]


ASKS = st.builds(
    Ask,
    model=st.sampled_from([*REGISTRY.models, "nano-banana-pro"]),
    aspect_ratio=st.sampled_from([None, "1:1", "9:21", "1:8"]),
    image_size=st.sampled_from([None, "512", "1K", "2K", "4K"]),
    seed=st.sampled_from([None, 7]),
    temperature=st.sampled_from([None, 0.5, 3.0]),
    thinking=st.sampled_from([None, "minimal", "medium", "high"]),
    references=st.integers(0, 15),
)


@settings(deadline=None)  # the machine may be busy
@given(
    asks=st.lists(ASKS, min_size=1, max_size=20),
    location=st.sampled_from(["global", "us", "europe-west4"]),
    deadline=st.sampled_from([SOME_DAY, DAY, HOUR, 60.0, 1.0, -1.0]),
)
def test_every_render_is_placed_where_it_can_be_made(
    asks: list[Ask], location: str, deadline: float
) -> None:
    own = Settings.model_validate(BOTH | {"vertex": {"project": "p", "location": location}})
    asking = Market(own, REGISTRY, Outlook(AT), SERVED)
    router = Router(own, asking.outlook)

    for ask in asks:
        found = asking.bids(Kind(ask, AUTO), 60)
        able = [
            tier
            for tier in asking.candidates
            if not REGISTRY.problems(ask, tier, AT.date(), location=location)
        ]

        assert {bid.tier for bid in found.bids} == set(able)
        assert bool(found.refusals) is not bool(able)
        if able:
            placement = router.place(found.bids, 1, deadline)
            assert placement.bid.tier in able


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.sampled_from(["1K", "2K", "4K"]), min_size=1, max_size=60),
    deadline=st.sampled_from([SOME_DAY, 2 * DAY, HOUR, 120.0]),
)
def test_the_same_outlook_gives_the_same_tiers(sizes: list[str], deadline: float) -> None:
    def tiers() -> list[Tier]:
        own, asking = market(aistudio=Prospect(waiting=3))
        router = Router(own, asking.outlook)
        kinds = [Kind(Ask(model=NEWEST, image_size=size), AUTO) for size in sizes]
        return [router.place(asking.bids(k, 60).bids, 1, deadline).bid.tier for k in kinds]

    assert tiers() == tiers()
