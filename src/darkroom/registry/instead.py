"""What would grant a wish that was refused: other tiers, other models, successors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from darkroom.registry.model import LEVELS, Model
from darkroom.registry.wish import Models, Wish
from darkroom_manifests.tier import Tier

Suits = Callable[[Model, Tier], bool]

ALTERNATIVES: Final = 3


def way_out(wish: Wish) -> str | None:
    """The successor, here or else where it answers, and the tiers where the model itself does."""
    lives = lives_on(wish)
    successor = heir(wish.models, wish.model.id, wish.tier, wish.on)
    if successor is not None:
        return joined(f"Choose {successor}", lives)
    if lives is not None:
        return joined(lives)
    found = abroad(wish)
    return found and f"Choose {found[0]} on {found[1]}."


def lives_on(wish: Wish) -> str | None:
    """The tiers where the model itself answers, or may still answer where that is allowed."""
    tiers = [
        tier
        for tier in _google_tiers()
        if wish.model.answers(tier, wish.on) or (wish.allows_retired and wish.model.has(tier))
    ]
    return f"{wish.model.id} is served on {either(tiers)}" if tiers else None


def abroad(wish: Wish) -> tuple[str, Tier] | None:
    """The successor and another tier that has it, the provider's own tiers first."""
    for tier in sorted(_google_tiers(), key=lambda tier: tier.provider is not wish.tier.provider):
        successor = heir(wish.models, wish.model.id, tier, wish.on)
        if successor is not None:
            return successor, tier
    return None


def heir(models: Models, name: str, tier: Tier, on: date) -> str | None:
    """The first model down the line of successors that answers on the tier, itself included."""
    seen: set[str] = set()
    while name not in seen:
        model = models[name]
        if model.answers(tier, on):
            return name
        seen.add(name)
        name = _successor(model, tier) or name
    return None


def _successor(model: Model, tier: Tier) -> str | None:
    """Whom the tier's provider names; where it names nobody, whom another does."""
    own = model.offers.get(tier.provider)
    named = [own, *model.offers.values()]
    return next((offer.successor for offer in named if offer and offer.successor), None)


def granted(wish: Wish, what: str, suits: Suits) -> str | None:
    """Who grants the wish: the same model on its provider's other tiers, other models on this."""
    tiers = [
        tier
        for tier in _google_tiers()
        if tier.provider is wish.tier.provider and _grants(wish, wish.model, tier, suits)
    ]
    models = [model.id for model in wish.models.values() if _grants(wish, model, wish.tier, suits)]
    by = [
        *([f"by {wish.model.id} on {either(tiers)}"] if tiers else []),
        *([f"by {either(models[:ALTERNATIVES])} on {wish.tier}"] if models else []),
    ]
    return f"{what} {' and '.join(by)}" if by else None


def at_level(wish: Wish) -> str | None:
    """Who has the level that was named: other models on the tier, the model on other tiers."""
    models = [
        model.id for model in wish.models.values() if model.answers(wish.tier, wish.on, wish.level)
    ]
    tiers = [
        tier
        for tier in _google_tiers()
        if LEVELS[tier] is wish.level and wish.model.answers(tier, wish.on)
    ]
    return joined(
        f"{either(models[:ALTERNATIVES])} has it on {wish.tier}" if models else None,
        f"{wish.model.id} has it on {either(tiers)}" if tiers else None,
    )


def _grants(wish: Wish, model: Model, tier: Tier, suits: Suits) -> bool:
    return model.answers(tier, wish.on) and suits(model, tier)


def _google_tiers() -> list[Tier]:
    return [tier for tier in Tier if not tier.is_simulated and tier is not Tier.PROXY]


def known(models: Models, tier: Tier, on: date) -> str | None:
    """Every model that answers on the tier."""
    served = [model.id for model in models.values() if model.answers(tier, on)]
    return f"{tier} serves {', '.join(served)}" if served else None


def either(names: Iterable[str]) -> str:
    """Write names as "A, B or C"; there must be one at least."""
    *most, last = (str(name) for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def joined(*ways: str | None) -> str | None:
    """One sentence of several ways, without those that are not there.

    A way begins with a capital letter, or with a name that has none.
    """
    there = [way.removesuffix(".") for way in ways if way]
    if not there:
        return None
    first, *others = there
    return "; or ".join([first, *(way[0].lower() + way[1:] for way in others)]) + "."
