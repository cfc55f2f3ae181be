"""What becomes of a render when an attempt ends: pure rules, one row of the table a branch."""

from __future__ import annotations

import random
from typing import Final

import msgspec

from darkroom.models import AttemptState, Remedy, RenderState
from darkroom.models.attempt import STOPPED
from darkroom.settings import OnLost, Rules

_LONGEST_WAIT: Final = 60.0


class Tally(msgspec.Struct, frozen=True):
    """What a render has been through before the attempt that now ends."""

    fence: int
    tries: int
    imageless: int
    losses: int
    is_cancelled: bool = False


class Step(msgspec.Struct, frozen=True):
    """Where a render goes. `wait` is in seconds; `resend_rule` names what allows a re-send.

    `remedy` is what its next request says differently, if that is something new.
    """

    state: RenderState
    reason: str | None = None
    wait: float | None = None
    tries: int = 0
    imageless: int = 0
    losses: int = 0
    resend_rule: str | None = None
    remedy: Remedy | None = None


def next_step(
    tally: Tally,
    ended: AttemptState,
    rules: Rules,
    reason: str | None,
    wait: float | None,
    *,
    busy_seconds: float = 0.0,
    remedy: Remedy | None = None,
) -> Step:
    """Decide by how the attempt ended. `wait` is what the provider asked for, in seconds.

    `busy_seconds` is the least wait after a refusal of capacity; `remedy` is what could be asked
    differently after a refusal.
    """
    step = _decide(tally, ended, rules, reason, wait)
    if ended is AttemptState.REFUSED and remedy is not None:
        step = _remedied(tally, rules, remedy)
    if ended is AttemptState.BUSY:
        step = _not_before(step, wait, busy_seconds)
    if tally.is_cancelled and step.state in (RenderState.PENDING, RenderState.HELD):
        return msgspec.structs.replace(step, state=RenderState.CANCELLED, wait=None)
    return step


def _decide(
    tally: Tally, ended: AttemptState, rules: Rules, reason: str | None, wait: float | None
) -> Step:
    match ended:
        case AttemptState.DELIVERED:
            return Step(RenderState.DONE)
        case AttemptState.REFUSED:
            return Step(RenderState.REFUSED, reason)
        case AttemptState.INVALID:
            return Step(RenderState.FAILED, reason or "invalid", tries=1)
        case AttemptState.NO_IMAGE:
            again = tally.imageless < rules.no_image_retries
            final = Step(RenderState.REFUSED, reason or "no-image", imageless=1)
            return _differently(tally, rules, reason) if again else final
        case AttemptState.SPOILED:
            again = tally.imageless < _anew(rules, reason)
            final = Step(RenderState.FAILED, reason or "spoiled", imageless=1)
            return _again(tally, rules, None, imageless=1) if again else final
        case AttemptState.TRANSIENT:
            again = tally.tries + 1 < rules.max_attempts
            final = Step(RenderState.FAILED, reason or "transient", tries=1)
            return _again(tally, rules, wait, tries=1) if again else final
        case AttemptState.LOST:
            return _after_loss(tally, rules)
        case AttemptState.BUSY | AttemptState.NOT_SENT | AttemptState.DENIED | AttemptState.GONE:
            return _again(tally, rules, wait)
        case AttemptState.SENT:
            raise ValueError("an open attempt has not ended")


def _anew(rules: Rules, reason: str | None) -> int:
    """How many paid answers may have brought nothing before this one, if it is to be asked anew."""
    is_stopped = reason is not None and reason.startswith(STOPPED)
    return rules.rerolls if is_stopped else rules.no_image_retries


def _differently(tally: Tally, rules: Rules, reason: str | None) -> Step:
    """A prompt that brought no image is put in other words, unless nothing may be added to it.

    An answer that is malformed was no answer to its words: it is asked for again as it was.
    """
    step = _again(tally, rules, None, imageless=1)
    is_malformed = reason is not None and reason.startswith("MALFORMED")
    remedy = Remedy.ONLY_IMAGE if rules.remedies and not is_malformed else None
    return msgspec.structs.replace(step, remedy=remedy)


def _remedied(tally: Tally, rules: Rules, remedy: Remedy) -> Step:
    """A refusal is sent again by a rule only, and differently."""
    step = _again(tally, rules, None)
    return msgspec.structs.replace(step, remedy=remedy, resend_rule=remedy.value)


def _after_loss(tally: Tally, rules: Rules) -> Step:
    """A lost answer may have been paid: at most one re-send without a person's word."""
    if rules.on_lost is OnLost.RETRY_ONCE and tally.losses == 0:
        step = _again(tally, rules, None)
        return msgspec.structs.replace(step, losses=1, resend_rule=rules.on_lost.value)
    return Step(RenderState.HELD, "lost", losses=1)


def _not_before(step: Step, wait: float | None, least: float) -> Step:
    """Wait as the provider asks, but so long at least; a wait of our own comes on top of it."""
    if step.wait is None:
        return step
    own = step.wait + least
    return msgspec.structs.replace(step, wait=own if wait is None else max(wait, least))


def _again(
    tally: Tally, rules: Rules, wait: float | None, *, tries: int = 0, imageless: int = 0
) -> Step:
    if wait is None:
        longest = min(_LONGEST_WAIT, rules.backoff_seconds * 2 ** min(tally.fence - 1, 10))
        wait = longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing
    return Step(RenderState.PENDING, wait=wait, tries=tries, imageless=imageless)
