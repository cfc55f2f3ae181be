"""Puts a price on an answer: by what the provider reported and the level that it says served."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom.jobs.close import Tokens
from darkroom.models import AttemptState, CostSource
from darkroom.registry import Ask, Price, Registry, Usage
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Outcome

_PAID = frozenset(
    {
        AttemptState.DELIVERED,
        AttemptState.SPOILED,
        AttemptState.NO_IMAGE,
        AttemptState.REFUSED,
    }
)


class Cost(msgspec.Struct, frozen=True):
    """What an attempt cost, in nano-dollars, and how that is known."""

    charged_nusd: int
    source: CostSource | None
    price_version: str | None
    tokens: Tokens


_METERED = {Tier.PROXY: CostSource.LISTED}
# What `_PAID` says nothing of: a proxy's price by the call is for answers, and errors are none.
_ANSWERED = 200

_NOTHING = Cost(0, None, None, Tokens())


def cost_of(
    outcome: Outcome, ask: Ask, tier: Tier, at: datetime, registry: Registry, location: str
) -> Cost:
    """Price an outcome at the list that was valid when it was sent.

    An amount that the provider names itself counts before any list. A picture without reported
    usage is charged as the registry expects, and marked estimated.
    """
    if outcome.ended not in _PAID:
        return _NOTHING
    if outcome.cost_nusd is not None:
        return Cost(outcome.cost_nusd, CostSource.REPORTED, None, _tokens(outcome.usage))
    price = registry.price(ask.model, tier, at, served=outcome.level, location=location)
    if tier is Tier.PROXY and price is not None and price.per_call:
        return _by_the_call(outcome, price)
    drawn = outcome.ended in (AttemptState.DELIVERED, AttemptState.SPOILED)
    usage, source = outcome.usage, _METERED.get(tier, CostSource.METERED)
    if usage is None:
        if not drawn:
            return _NOTHING
        usage, source = _expected(ask, registry), CostSource.ESTIMATED
    elif drawn:
        usage = _split(usage, registry.expected(ask).image_tokens)
    tokens = Tokens() if source is CostSource.ESTIMATED else _tokens(usage)
    if price is None:
        return Cost(0, None, None, tokens)
    return Cost(price.charge(usage, 1 if drawn else 0), source, price.version, tokens)


def _by_the_call(outcome: Outcome, price: Price) -> Cost:
    """An answer is a call, whatever it holds; tokens that have prices of their own come on top."""
    calls = 1 if outcome.http_status in (_ANSWERED, None) else 0
    charged = price.charge(outcome.usage or Usage(), 0, calls)
    return Cost(charged, CostSource.LISTED, price.version, _tokens(outcome.usage))


def _expected(ask: Ask, registry: Registry) -> Usage:
    return Usage(
        prompt_tokens=-(-ask.prompt_chars // 4),
        image_tokens=registry.expected(ask).image_tokens,
        searches=len(ask.searches),
    )


def _split(usage: Usage, image_tokens: int) -> Usage:
    """Where no details by modality came, what exceeds the picture's tokens was text."""
    if usage.text_tokens or not 0 < image_tokens < usage.image_tokens:
        return usage
    if usage.image_tokens % image_tokens == 0:  # several pictures were drawn
        return usage
    text = usage.image_tokens - image_tokens
    return msgspec.structs.replace(usage, image_tokens=image_tokens, text_tokens=text)


def _tokens(usage: Usage | None) -> Tokens:
    if usage is None:
        return Tokens()
    return Tokens(
        prompt=usage.prompt_tokens + usage.tool_tokens,
        cached=usage.cached_tokens,
        image=usage.image_tokens,
        text=usage.text_tokens,
        thought=usage.thought_tokens,
        searches=usage.searches or None,
    )
