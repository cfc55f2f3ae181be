"""Which claim gets which slot, and what a process remembers between two bookings."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from darkroom.jobs.claim import Claim
from darkroom.settings import Limits
from darkroom_manifests.tier import Tier
from darkroom_worker.booking import Booking
from darkroom_worker.lane import ALL, Lane
from darkroom_worker.slots import HORIZON, ServerClock, Slot, Want

NOW = 1_000.0


def claims(*models: str, reserved_nusd: int = 0) -> list[Claim]:
    at = datetime.now(UTC)
    return [
        Claim(f"att_{number}", number, "job", 1, Tier.VERTEX, model, "{}", reserved_nusd, at)
        for number, model in enumerate(models)
    ]


def slots(*ahead: float) -> list[Slot]:
    return [Slot(NOW + each, round(each * 1e6)) for each in ahead]


def booking(*ahead: float, gap: float = 0.1, **models: list[Slot]) -> Booking:
    return Booking(NOW, Want(most=9, gap=gap), slots(*ahead), models or None)


def test_claims_get_the_earliest_slots_and_the_rest_is_left() -> None:
    booked = booking(0.0, 0.1, 0.2, 0.3)

    turns, unsent = booked.deal(claims("m", "m"), NOW)

    assert [turn.at for _, turn in turns] == [NOW, NOW + 0.1]
    assert (unsent, booked.slots) == ([], slots(0.2, 0.3))
    assert booked.has_left


def test_a_slot_that_has_gone_by_is_of_no_use() -> None:
    booked = booking(0.0, 0.1, 1.0)

    turns, _ = booked.deal(claims("m", "m"), NOW + 0.5)

    assert [turn.at for _, turn in turns] == [NOW + 1.0, None]


def test_a_learned_rate_delays_its_model_and_keeps_the_tier_s_spacing() -> None:
    booked = booking(0.0, 0.1, 0.2, 0.3, slow=slots(0.15, 9.0), fast=slots(0.0, 0.0))

    turns, unsent = booked.deal(claims("slow", "fast", "new"), NOW)

    assert [turn.at for _, turn in turns] == [NOW + 0.2, NOW]
    assert [one.model for one in unsent] == ["new"]
    assert booked.slots == slots(0.1, 0.3)


def test_without_a_rate_of_the_tier_a_model_s_slots_are_the_times() -> None:
    booked = booking(0.0, 0.0, 0.0, gap=0.0, slow=slots(0.4, 0.8))

    turns, _ = booked.deal(claims("slow", "slow"), NOW)

    assert [turn.at for _, turn in turns] == [NOW + 0.4, NOW + 0.8]


def test_no_more_is_claimed_of_a_model_than_it_has_slots() -> None:
    booked = booking(0.0, 0.1, slow=slots(0.0))
    booked.resting = frozenset({"tired"})

    assert (booked.most, booked.rooms) == (2, {"slow": 1, "tired": 0})


def test_the_server_s_clock_is_known_however_long_an_answer_took() -> None:
    clock = ServerClock()

    clock.note(10.0, 14.0, 112_000_000)
    roughly = clock.here(112_000_000)
    clock.note(20.0, 20.01, 119_000_000)
    clock.note(30.0, 35.0, 130_000_000)

    assert roughly == pytest.approx(12.0)
    assert clock.here(129_000_000) == pytest.approx(30.01, abs=0.02)


def test_slots_that_were_too_cheap_are_paid_for_by_the_next() -> None:
    lane, limits = Lane(), Limits(tokens_per_minute=60_300)
    want = lane.want(limits, 4, 0)

    lane.told(want)
    lane.weigh(limits, want, claims("m", "m"), [1_300, 1_300])

    assert want.gap == pytest.approx(0.3, rel=0.01)
    assert lane.want(limits, 4, 0).shift == pytest.approx(2 * 1.0, rel=0.01)


def test_money_is_corrected_once_by_what_was_reserved_and_then_charged() -> None:
    lane, limits = Lane(), Limits(spend_per_window="10")
    want = lane.want(limits, 2, 0)

    lane.weigh(limits, want, claims("m", "m", reserved_nusd=90_000_000), [1, 1])
    lane.spent(limits, 90_000_000, 70_000_000)
    told = lane.want(limits, 0, 0)
    lane.told(told)

    assert told.correction_nusd == 2 * 40_000_000 - 20_000_000
    assert not lane.owes


def test_after_an_outage_nothing_is_booked_where_forgotten_slots_may_lie() -> None:
    lane, limits = Lane(), Limits(requests_per_minute=60.3)
    lane.was_away = True

    want = lane.want(limits, 1, 0)
    lane.told(want)

    later = lane.want(limits, 1, 0)
    assert (want.lead, want.ahead) == pytest.approx((HORIZON + 1, HORIZON))
    assert later.lead < want.lead == pytest.approx(later.lead, abs=0.5)


def test_a_storm_of_equal_answers_is_one_rest() -> None:
    lane = Lane()

    said = [lane.rest(ALL, 60.0), lane.rest(ALL, 59.9), lane.rest("m", 60.0), lane.rest(ALL, 600)]

    assert said == [True, False, True, True]


def test_a_rest_that_waits_for_a_person_stops_what_is_booked_and_is_said_once() -> None:
    lane = Lane()

    said = [lane.rest(ALL, math.inf), lane.rest(ALL, math.inf), lane.rest(ALL, 0.0)]

    assert said == [True, False, False]
    assert lane.is_resting("m")
    assert lane.is_resting("any")
