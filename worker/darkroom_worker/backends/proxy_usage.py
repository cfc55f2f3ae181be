"""What a proxy says that an answer took: tokens, and sometimes the money itself."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Final

from darkroom.registry import Usage
from darkroom_manifests.money import NANO

# Nothing that was asked here costs that much: it is no amount of dollars.
_MOST_DOLLARS: Final = 100
_LITELLM: Final = "x-litellm-response-cost"


def cost_in(document: dict[str, Any]) -> int | None:
    """The nano-dollars of `usage.cost`, rounded up; None where no believable amount is told.

    With a key of one's own at the provider behind it, OpenRouter's `cost` is only its fee, and what
    the provider takes stands beside it (OpenRouter, Usage accounting, 2026).
    """
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None
    cost = _dollars(usage.get("cost"))
    details = usage.get("cost_details")
    if cost is not None and usage.get("is_byok") is True and isinstance(details, dict):
        cost += _dollars(details.get("upstream_inference_cost")) or 0
    if cost is None or cost > _MOST_DOLLARS:
        return None
    return _nano(cost)


def cost_told(headers: Mapping[str, str]) -> int | None:
    """The nano-dollars that LiteLLM's header names; nothing means that it knows no price.

    LiteLLM, Response headers, 2026; a price of zero for an unknown model: litellm #31945.
    """
    cost = _dollars(headers.get(_LITELLM))
    if not cost or cost > _MOST_DOLLARS:
        return None
    return _nano(cost)


def _nano(dollars: Decimal) -> int:
    return int((dollars * NANO).to_integral_value(ROUND_CEILING))


def _dollars(told: object) -> Decimal | None:
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def usage_in(document: dict[str, Any], *, drawn: bool) -> Usage | None:
    """Tokens by either of OpenAI's spellings; None where nothing was told that could be priced.

    What comes out holds the thoughts, as OpenAI counts. Without details, all of it but those is
    the picture's, if there is one.
    """
    told = document.get("usage")
    if not isinstance(told, dict):
        return None
    given = _count(told, "prompt_tokens", "input_tokens")
    made = _count(told, "completion_tokens", "output_tokens")
    if given is None or made is None or (drawn and not made):
        return None
    into = _table(told, "prompt_tokens_details", "input_tokens_details")
    out = _table(told, "completion_tokens_details", "output_tokens_details")
    thoughts = min(made, _count(out, "reasoning_tokens") or 0)
    rest = made - thoughts
    image = _count(out, "image_tokens")
    image = min(rest, image) if image is not None else (rest if drawn else 0)
    return Usage(
        prompt_tokens=given,
        cached_tokens=min(given, _count(into, "cached_tokens") or 0),
        input_image_tokens=min(given, _count(into, "image_tokens") or 0),
        image_tokens=image,
        text_tokens=rest - image,
        thought_tokens=thoughts,
    )


def _count(table: dict[str, Any], *names: str) -> int | None:
    for name in names:
        found = table.get(name)
        if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
            return found
    return None


def _table(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return next((told[name] for name in names if isinstance(told.get(name), dict)), {})
