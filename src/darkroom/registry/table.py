"""The table of models that people and machines read: state, sizes and prices on one day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

import msgspec

from darkroom.registry.model import Level, Model, Offer, Status
from darkroom.registry.price import Price, Usage
from darkroom.registry.registry import Registry
from darkroom_manifests.tier import Provider, Tier


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A model's state at one provider."""

    status: Status
    since: date
    """First day of that status; of an unreleased model, the day it comes."""
    gone: date | None
    lives_until_at_least: date | None
    successor: str | None
    note: str | None


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one day; `msgspec.to_builtins` makes it JSON."""

    id: str
    title: str
    family: str
    default: bool
    standing: dict[Provider, Standing]
    sizes: tuple[str, ...]
    ratios: tuple[str, ...]
    thinking: tuple[str, ...]
    parameters: tuple[str, ...]
    max_references: int
    searches: dict[Provider, tuple[str, ...]]
    """What requests may be grounded in, where in anything."""
    search_nusd: dict[Tier, int]
    """Tier -> nano-dollars for one query, of models that search."""
    image_nusd: dict[Tier, dict[str, int]]
    """Tier -> size -> nano-dollars for the image alone; prompt and thoughts come on top."""
    price_version: dict[Tier, str]
    """Tier -> the day its price list was read."""
    note: str | None


def rows(registry: Registry, on: date) -> list[ModelRow]:
    """Every model as it stands on that day, the default first, the dead last."""
    found = [_row(registry, model, on) for model in registry.models.values()]
    return sorted(found, key=lambda row: (not row.default, not row.image_nusd))


def _row(registry: Registry, model: Model, on: date) -> ModelRow:
    priced = dict(_priced(registry, model, on))
    return ModelRow(
        id=model.id,
        title=model.title,
        family=model.family,
        default=model.id == registry.default_model,
        standing={provider: _standing(offer, on) for provider, offer in model.offers.items()},
        sizes=tuple(model.sizes),
        ratios=model.ratios,
        thinking=tuple(model.thinking),
        parameters=model.parameters,
        max_references=model.max_references,
        searches={name: offer.searches for name, offer in model.offers.items() if offer.searches},
        search_nusd={
            tier: price.per_search for tier, price in priced.items() if model.searches(tier)
        },
        image_nusd={tier: _by_size(model, tier, price) for tier, price in priced.items()},
        price_version={tier: price.version for tier, price in priced.items()},
        note=model.note,
    )


def _standing(offer: Offer, on: date) -> Standing:
    status = offer.status(on)
    days = {
        Status.UNRELEASED: offer.ga,
        Status.GA: offer.ga,
        Status.DEPRECATED: offer.deprecated,
        Status.GONE: offer.gone,
    }
    return Standing(
        status=status,
        since=days[status] or offer.ga,
        gone=offer.gone,
        lives_until_at_least=offer.lives_until_at_least,
        successor=offer.successor,
        note=offer.note,
    )


def _priced(registry: Registry, model: Model, on: date) -> Iterator[tuple[Tier, Price]]:
    noon = datetime.combine(on, time(12), UTC)
    for tier in Tier:
        if tier.is_simulated or not model.answers(tier, on):
            continue
        price = registry.price(model.id, tier, noon)
        if price is not None and price.tier_level is not Level.PROVISIONED:
            yield tier, price


def _by_size(model: Model, tier: Tier, price: Price) -> dict[str, int]:
    return {
        size: price.charge(Usage(image_tokens=model.sizes[size]), 1) for size in model.draws(tier)
    }
