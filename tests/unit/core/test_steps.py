from __future__ import annotations

import pytest

from darkroom.jobs.steps import Tally, next_step
from darkroom.models import AttemptState, Remedy, RenderState
from darkroom.settings import Rules

FRESH = Tally(fence=1, tries=0, imageless=0, losses=0)
RULES = Rules()


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (AttemptState.DELIVERED, RenderState.DONE),
        (AttemptState.REFUSED, RenderState.REFUSED),
        (AttemptState.INVALID, RenderState.FAILED),
        (AttemptState.NO_IMAGE, RenderState.PENDING),
        (AttemptState.SPOILED, RenderState.PENDING),
        (AttemptState.TRANSIENT, RenderState.PENDING),
        (AttemptState.LOST, RenderState.PENDING),
        (AttemptState.BUSY, RenderState.PENDING),
        (AttemptState.NOT_SENT, RenderState.PENDING),
        (AttemptState.DENIED, RenderState.PENDING),
        (AttemptState.GONE, RenderState.PENDING),
    ],
)
def test_a_first_attempt_leads_where_the_table_says(
    ended: AttemptState, state: RenderState
) -> None:
    assert next_step(FRESH, ended, RULES, None, None).state is state


def test_every_way_to_end_has_a_step() -> None:
    for ended in set(AttemptState) - {AttemptState.SENT}:
        step = next_step(FRESH, ended, RULES, None, None)

        assert step.state is not RenderState.SENT


def test_an_open_attempt_has_no_next_step() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        next_step(FRESH, AttemptState.SENT, RULES, None, None)


def test_the_wait_that_the_provider_asks_for_is_kept() -> None:
    assert next_step(FRESH, AttemptState.BUSY, RULES, None, 53.0).wait == 53.0


@pytest.mark.parametrize("fence", [1, 3, 50])
def test_without_one_the_wait_grows_and_stays_within_a_minute(fence: int) -> None:
    tally = Tally(fence=fence, tries=0, imageless=0, losses=0)

    wait = next_step(tally, AttemptState.BUSY, RULES, None, None).wait

    longest = min(60.0, RULES.backoff_seconds * 2 ** (fence - 1))
    assert wait is not None
    assert longest / 2 <= wait <= longest


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 31, 32), (7.0, 30, 30), (90, 90, 90)])
def test_a_tier_may_wait_longer_after_a_refusal_of_capacity(
    asked: float | None, least: float, most: float
) -> None:
    wait = next_step(FRESH, AttemptState.BUSY, RULES, None, asked, busy_seconds=30).wait

    assert wait is not None
    assert least <= wait <= most


def test_other_ends_do_not_wait_for_capacity() -> None:
    wait = next_step(FRESH, AttemptState.TRANSIENT, RULES, None, None, busy_seconds=30).wait

    assert wait is not None
    assert wait <= RULES.backoff_seconds


def test_a_second_answer_without_an_image_is_a_refusal() -> None:
    tally = Tally(fence=2, tries=0, imageless=1, losses=0)

    step = next_step(tally, AttemptState.NO_IMAGE, RULES, "NO_IMAGE", None)

    assert (step.state, step.reason) == (RenderState.REFUSED, "NO_IMAGE")


def test_busy_uses_up_no_try_and_a_transient_failure_does() -> None:
    assert next_step(FRESH, AttemptState.BUSY, RULES, None, None).tries == 0
    assert next_step(FRESH, AttemptState.TRANSIENT, RULES, None, None).tries == 1


def test_a_first_loss_names_the_rule_that_allows_the_re_send() -> None:
    assert next_step(FRESH, AttemptState.LOST, RULES, None, None).resend_rule == "retry-once"


def test_a_second_loss_waits_for_a_person() -> None:
    tally = Tally(fence=2, tries=0, imageless=0, losses=1)

    assert next_step(tally, AttemptState.LOST, RULES, None, None).state is RenderState.HELD


def test_nothing_of_a_cancelled_job_becomes_pending_again() -> None:
    tally = Tally(fence=1, tries=0, imageless=0, losses=0, is_cancelled=True)

    assert next_step(tally, AttemptState.BUSY, RULES, None, None).state is RenderState.CANCELLED
    assert next_step(tally, AttemptState.DELIVERED, RULES, None, None).state is RenderState.DONE


@pytest.mark.parametrize(
    ("ended", "remedies", "remedy"),
    [
        (AttemptState.NO_IMAGE, True, Remedy.ONLY_IMAGE),
        (AttemptState.NO_IMAGE, False, None),
        (AttemptState.SPOILED, True, None),
        (AttemptState.TRANSIENT, True, None),
    ],
)
def test_only_an_answer_without_an_image_is_asked_for_in_other_words(
    ended: AttemptState, *, remedies: bool, remedy: Remedy | None
) -> None:
    step = next_step(FRESH, ended, Rules(remedies=remedies), None, None)

    assert (step.state, step.remedy) == (RenderState.PENDING, remedy)


def test_a_refusal_of_the_content_is_not_asked_again_in_any_words() -> None:
    step = next_step(FRESH, AttemptState.REFUSED, Rules(), "IMAGE_SAFETY", None)

    assert (step.state, step.remedy) == (RenderState.REFUSED, None)


@pytest.mark.parametrize(
    ("rerolls", "imageless", "state"), [(0, 0, "failed"), (2, 1, "pending"), (2, 2, "failed")]
)
def test_what_a_gate_stops_is_asked_for_as_often_as_rerolls_say(
    rerolls: int, imageless: int, state: str
) -> None:
    tally = Tally(fence=imageless + 1, tries=0, imageless=imageless, losses=0)
    rules = Rules(rerolls=rerolls, no_image_retries=1)

    step = next_step(tally, AttemptState.SPOILED, rules, "GATE_BLANK", None)

    assert step.state == state


def test_an_image_of_the_wrong_size_has_nothing_to_do_with_rerolls() -> None:
    step = next_step(FRESH, AttemptState.SPOILED, Rules(rerolls=0), "WRONG_SIZE", None)

    assert step.state is RenderState.PENDING


def test_a_malformed_answer_is_asked_for_again_in_the_same_words() -> None:
    step = next_step(FRESH, AttemptState.NO_IMAGE, Rules(), "MALFORMED_RESPONSE", None)

    assert (step.state, step.remedy, step.imageless) == (RenderState.PENDING, None, 1)


def test_a_refusal_for_no_named_reason_is_sent_again_by_a_rule_and_differently() -> None:
    step = next_step(FRESH, AttemptState.REFUSED, Rules(), "OTHER", None, remedy=Remedy.JPEG)

    assert (step.state, step.remedy, step.resend_rule) == (RenderState.PENDING, Remedy.JPEG, "jpeg")
