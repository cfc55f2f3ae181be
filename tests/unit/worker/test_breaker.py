"""A model that fails again and again rests, and is tried with one request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing
from darkroom.models import AttemptState
from darkroom.settings import Rules
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Break
from darkroom_worker.breaker import Breaker

RULES = Rules(breaker_failures=3, breaker_seconds=10)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def claim(model: str = "m", size: str | None = None) -> Claim:
    asked = "{}" if size is None else f'{{"image_size":"{size}"}}'
    return Claim("att_1", 1, "job", 1, Tier.VERTEX, model, asked, 0, datetime.now(UTC))


def heard(
    breaker: Breaker, *ended: AttemptState, model: str = "m", size: str | None = None
) -> list[Break]:
    one = claim(model, size)
    closings = [Closing(attempt_id="att_1", ended=each, message="boom") for each in ended]
    return [rest for closing in closings if (rest := breaker.heard(one, closing)) is not None]


BAD, LOST, GOOD = AttemptState.TRANSIENT, AttemptState.LOST, AttemptState.DELIVERED


def test_failures_in_a_row_make_a_model_rest_and_say_why() -> None:
    (rest,) = heard(Breaker(RULES), BAD, LOST, BAD)

    assert (rest.whole_tier, rest.seconds) == (False, 10)
    assert rest.reason == "3 answers in a row failed, the last: boom"


@pytest.mark.parametrize(
    "between", [GOOD, AttemptState.REFUSED, AttemptState.NO_IMAGE, AttemptState.INVALID]
)
def test_an_answer_of_any_kind_between_them_begins_anew(between: AttemptState) -> None:
    assert heard(Breaker(RULES), BAD, BAD, between, BAD, BAD) == []


def test_what_was_busy_or_never_sent_neither_fails_nor_mends() -> None:
    unheard = (AttemptState.BUSY, AttemptState.NOT_SENT)

    assert heard(Breaker(RULES), *unheard * 5) == []
    assert len(heard(Breaker(RULES), BAD, *unheard, BAD, *unheard, BAD)) == 1


def test_what_was_on_its_way_does_not_make_the_rest_longer() -> None:
    clock = Clock()
    breaker = Breaker(RULES, clock)

    assert [rest.seconds for rest in heard(breaker, *[BAD] * 50)] == [10]


def test_after_the_rest_one_request_finds_out_and_each_failure_doubles_it() -> None:
    clock = Clock()
    breaker = Breaker(RULES, clock)
    rests = heard(breaker, *[BAD] * 3)
    assert breaker.rooms(Tier.VERTEX) == {}, "it rests"
    for _ in range(7):
        clock.now += rests[-1].seconds or 0
        assert breaker.rooms(Tier.VERTEX) == {"m": 1}
        breaker.sent(claim())
        assert breaker.rooms(Tier.VERTEX) == {"m": 0}, "one is on its way"
        rests += heard(breaker, BAD)

    assert [rest.seconds for rest in rests] == [10, 20, 40, 80, 160, 320, 600, 600]
    clock.now += 600
    heard(breaker, GOOD)
    assert breaker.rooms(Tier.VERTEX) == {}
    assert heard(breaker, BAD, BAD) == []


def test_a_trial_that_never_left_is_free_for_another() -> None:
    clock = Clock()
    breaker = Breaker(RULES, clock)
    heard(breaker, *[BAD] * 3)
    clock.now += 10
    breaker.sent(claim())

    assert heard(breaker, AttemptState.NOT_SENT) == []

    assert breaker.rooms(Tier.VERTEX) == {"m": 1}


def test_a_model_that_nobody_asks_for_any_more_is_forgotten() -> None:
    clock = Clock()
    breaker = Breaker(RULES, clock)
    heard(breaker, *[BAD] * 3)

    clock.now += 10 + 600

    assert breaker.rooms(Tier.VERTEX) == {}
    assert heard(breaker, BAD, BAD) == []


def test_a_size_rests_alone_while_others_of_its_model_are_answered() -> None:
    breaker = Breaker(RULES, Clock())
    rests = []
    for _ in range(3):
        rests += heard(breaker, BAD, size="4K")
        rests += heard(breaker, GOOD, size="1K")

    (rest,) = rests

    assert (rest.whole_tier, rest.size) == (False, "4K")
    assert heard(breaker, BAD, BAD, size="2K") == []


def test_a_model_that_answers_in_no_size_rests_wholly() -> None:
    breaker = Breaker(RULES, Clock())

    rests = [rest for size in ("1K", "2K", "4K") for rest in heard(breaker, BAD, size=size)]

    assert [rest.size for rest in rests] == [None]


def test_models_and_tiers_fail_each_for_itself() -> None:
    clock = Clock()
    breaker = Breaker(RULES, clock)

    assert heard(breaker, BAD, BAD, model="a") == []
    assert heard(breaker, BAD, BAD, model="b") == []
    assert len(heard(breaker, BAD, model="a")) == 1
    clock.now += 10
    assert breaker.rooms(Tier.VERTEX) == {"a": 1}
    assert breaker.rooms(Tier.AISTUDIO) == {}


def test_it_can_be_switched_off() -> None:
    assert heard(Breaker(Rules(breaker_failures=0)), *[BAD] * 50) == []
