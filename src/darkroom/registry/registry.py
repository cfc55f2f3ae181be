"""The registry: one immutable object that answers what a model can do and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from darkroom.registry.ask import Ask, Expected, Refusal
from darkroom.registry.catalog import PixelTable, PriceEntry
from darkroom.registry.estimate import Load, Tariff, tariff, tokens_of
from darkroom.registry.load import load as read
from darkroom.registry.model import LEVELS, Level, Model, Retired, Unknown
from darkroom.registry.names import Names
from darkroom.registry.price import Estimate, Price
from darkroom.registry.pricebook import PriceBook
from darkroom.registry.refuse import refuse, refuse_name
from darkroom.registry.wish import Wish
from darkroom_manifests.tier import Provider, Tier

GLOBAL: Final = "global"

_DEMOTED: Final = frozenset({Level.FLEX, Level.PRIORITY, Level.PROVISIONED})

_SIMULATED: Final = (Provider.SIMULATOR, Provider.AISTUDIO, Provider.VERTEX)


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """Dated data about every model. Immutable, cheap to make, safe to share between threads."""

    default_model: str
    models: Mapping[str, Model]
    _names: Names
    _pixels: Mapping[str, PixelTable]
    _prices: PriceBook

    @classmethod
    def load(cls, override: Path | None = None, own: Sequence[PriceEntry] = ()) -> Self:
        """Read the data of the wheel with the user's file, if any, merged over it.

        `own` price lists come in the place of all others of their model and provider.
        Raises RegistryError, whose message names the file and the key.
        """
        catalog = read(override)
        return cls(
            catalog.default_model,
            MappingProxyType(dict(catalog.models)),
            Names(catalog.models, catalog.retired),
            catalog.pixels,
            PriceBook(catalog.prices, catalog.surcharges, own),
        )

    def find(self, name: str) -> Model | Retired | Unknown:
        """The model of that id or alias, in any case and with or without a `models/` before it."""
        return self._names.find(name)

    def problems(
        self,
        ask: Ask,
        tier: Tier,
        on: date,
        *,
        location: str | None = None,
        level: Level | None = None,
        allows_retired: bool = False,
    ) -> list[Refusal]:
        """What the model cannot do of this on that tier and day; empty: it can do it all.

        `location` is Vertex's (`global`, `us-central1`); None leaves it unchecked. `level` is the
        one that requests name, where it is not the tier's own. A model that is not to be had at
        all yields that one refusal alone; `allows_retired` lets one pass that was shut down.
        """
        found = self.find(ask.model)
        if not isinstance(found, Model):
            return [refuse_name(self.models, found, tier, on)]
        noon = datetime.combine(on, time(12), UTC)
        wish = Wish(
            self.models,
            found,
            ask,
            tier,
            level or LEVELS[tier],
            on,
            location,
            lambda name, on_tier: self.price(name, on_tier, noon, location=location or GLOBAL),
            allows_retired,
        )
        return refuse(wish)

    def price(
        self,
        model: str,
        tier: Tier,
        at: datetime,
        *,
        served: Level | None = None,
        location: str = GLOBAL,
    ) -> Price | None:
        """The price list that counts at that moment (days begin at midnight UTC), None if unknown.

        `served` is the level that the answer names, where it is not the tier's own: priority that
        was downgraded, bought throughput that overflowed. The simulator bills like AI Studio, or
        like Vertex where AI Studio has no price.
        """
        found = self.find(model)
        if not isinstance(found, Model):
            return None
        level = served or LEVELS[tier]
        on = at.astimezone(UTC).date()
        for provider in _SIMULATED if tier.is_simulated else (tier.provider,):
            price = self._prices.find(found.id, provider, level, on, location)
            if price is not None:
                return price
        return None

    def price_factor(self, model: str, tier: Tier, at: datetime) -> float | None:
        """What an image token costs on a tier, of what it costs on demand; None without prices."""
        price, usual = self.price(model, tier, at), self.price(model, tier.on_demand, at)
        standard = usual and self.price(model, tier.on_demand, at, served=Level.STANDARD)
        if price is None or standard is None or not standard.image_out:
            return None
        return price.image_out / standard.image_out

    def expected(self, ask: Ask) -> Expected:
        """The picture that should come back; no ratio asked with references: their ratio, unknown.

        Raises LookupError for a model or size that `problems` refuses.
        """
        model = self._model(ask)
        size = ask.image_size or model.default_size
        if ask.aspect_ratio is None and ask.references:
            pixels = None
        else:
            pixels = self._pixels[model.pixels].find(ask.aspect_ratio or "1:1", size)
        width, height = pixels or (None, None)
        return Expected(width=width, height=height, image_tokens=model.sizes[size])

    def estimate(
        self,
        ask: Ask,
        tier: Tier,
        at: datetime,
        *,
        location: str = GLOBAL,
        level: Level | None = None,
    ) -> Estimate | None:
        """What one image may cost; None where the price is unknown. `level` is as in `problems`.

        Raises LookupError or ValueError for what `problems` refuses.
        """
        found = self.tariff(ask, tier, at, location=location, level=level)
        return None if found is None else found.of(Load.of(ask.prompt_chars))

    def tariff(
        self,
        ask: Ask,
        tier: Tier,
        at: datetime,
        *,
        location: str = GLOBAL,
        level: Level | None = None,
    ) -> Tariff | None:
        """What images like this cost, whatever their prompts; None, LookupError as `estimate`."""
        price = self.price(ask.model, tier, at, served=level, location=location)
        if price is None:
            return None
        others = (
            self.price(ask.model, tier, at, served=other, location=location)
            for other in _others(tier, price.tier_level)
        )
        return tariff(self._model(ask), ask, price, [other for other in others if other])

    def prompt_tokens(self, ask: Ask) -> int:
        """About how many tokens of input a request has; a model that is unknown counts as text."""
        found = self.find(ask.model)
        picture = found.input_image_tokens if isinstance(found, Model) else 0
        return tokens_of(ask.prompt_chars) + ask.references * picture

    def _model(self, ask: Ask) -> Model:
        found = self.find(ask.model)
        if isinstance(found, Model):
            return found
        raise LookupError(f"{ask.model} is not a model of the registry")


def _others(tier: Tier, level: Level) -> tuple[Level, ...]:
    """The levels that may serve, and be billed, in place of the one asked for.

    Priority is downgraded, and bought throughput overflows, to standard. Flex on Vertex is asked
    for by headers that let nothing else serve; elsewhere the dearer price is assumed.
    """
    is_certain = tier is Tier.VERTEX_FLEX or level not in _DEMOTED
    return () if is_certain else (Level.STANDARD,)
