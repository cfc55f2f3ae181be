"""The registry as the settings want it: a file laid over ours, and what a proxy charges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from darkroom.registry import Level, Model, Registry, RegistryError
from darkroom.registry.catalog import PriceEntry
from darkroom.settings import ProxyPrice, Settings
from darkroom_manifests.tier import Provider

OWN: Final = "proxy.prices"
"""The version that charges by the operator's own list are booked with."""

_ALWAYS: Final = date(2000, 1, 1)


def registry_of(settings: Settings) -> Registry:
    """Load models and prices. Raises RegistryError, whose message names the file or the setting."""
    registry = Registry.load(settings.registry_file)
    if not settings.proxy.prices:
        return registry
    return Registry.load(settings.registry_file, tuple(_entries(settings, registry)))


def _entries(settings: Settings, registry: Registry) -> Iterator[PriceEntry]:
    for name, price in settings.proxy.prices.items():
        found = registry.find(name)
        if not isinstance(found, Model):
            raise RegistryError(f"{OWN}: {name} is not a model of the registry")
        yield _entry(found.id, price)


def _entry(model: str, price: ProxyPrice) -> PriceEntry:
    try:
        return PriceEntry(
            model=model,
            providers=(Provider.PROXY,),
            level=Level.STANDARD,
            valid_from=_ALWAYS,
            text_in=f"{price.text_in:f}",
            image_in=f"{price.text_in if price.image_in is None else price.image_in:f}",
            cached_in=f"{price.text_in:f}",
            text_out=f"{price.text_out:f}",
            image_out=f"{price.image_out:f}",
            per_call=f"{price.per_call:f}",
            version=OWN,
            source=OWN,
            checked=_ALWAYS,
        )
    except ValueError as error:
        raise RegistryError(f"{OWN}.{model}: {error}") from error
