"""What a model is: its life at each provider, what it can draw, what it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from darkroom_manifests.tier import Provider, Tier


class Family(StrEnum):
    """The wire a model answers on: `generateContent` (gemini) or `predict` (imagen)."""

    GEMINI = "gemini"
    IMAGEN = "imagen"


class Level(StrEnum):
    """A service level: the same model at another price and another patience."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    PROVISIONED = "provisioned"


class Parameter(StrEnum):
    """A knob that some models accept and others answer with an error."""

    SEED = "seed"
    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    TOP_K = "top_k"
    NEGATIVE_PROMPT = "negative_prompt"


class Thinking(StrEnum):
    """How long a model thinks before it draws; thoughts are billed as text."""

    MINIMAL = "minimal"
    MEDIUM = "medium"
    HIGH = "high"


class Search(StrEnum):
    """What a model can look up before it draws; each query is billed."""

    WEB = "web"
    IMAGE = "image"


class Status(StrEnum):
    """Where a model stands in its life at one provider on one day."""

    UNRELEASED = "unreleased"
    GA = "ga"
    DEPRECATED = "deprecated"
    GONE = "gone"


LEVELS: Final[Mapping[Tier, Level]] = MappingProxyType(
    {
        Tier.AISTUDIO: Level.STANDARD,
        Tier.AISTUDIO_BATCH: Level.BATCH,
        Tier.VERTEX: Level.STANDARD,
        Tier.VERTEX_FLEX: Level.FLEX,
        Tier.VERTEX_PRIORITY: Level.PRIORITY,
        Tier.VERTEX_PROVISIONED: Level.PROVISIONED,
        Tier.VERTEX_BATCH: Level.BATCH,
        Tier.IMAGEN: Level.STANDARD,
        Tier.PROXY: Level.STANDARD,
        Tier.SIMULATOR: Level.STANDARD,
        Tier.SIMULATOR_BATCH: Level.BATCH,
    }
)


def level_of(tier: Tier, named: str | None = None) -> Level:
    """The level that a tier's requests ask for: the one they name, else the tier's own."""
    return LEVELS[tier] if named is None else Level(named)


class Beside(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thought and text tokens that come beside one image. Our own estimate, not Google's."""

    typical: int
    high: int


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model at one provider. Days begin at midnight UTC; `gone` is the first day without it."""

    ga: date
    deprecated: date | None = None
    gone: date | None = None
    lives_until_at_least: date | None = None
    successor: str | None = None
    levels: tuple[Level, ...]
    batch_sizes: tuple[str, ...] | None = None
    """Sizes that batch draws; None: all of the model's."""
    locations: tuple[str, ...] | None = None
    """Where it is served; None: the provider has no locations, or none are recorded."""
    level_locations: dict[Level, tuple[str, ...]] = {}
    """Levels that are served in fewer places."""
    searches: tuple[Search, ...] = ()
    """What of Google's index a request may be grounded in."""
    output: str
    """The mime type to expect; the bytes decide."""
    note: str | None = None
    source: str
    checked: date

    def status(self, on: date) -> Status:
        """Where the model stands on that day."""
        if on < self.ga:
            return Status.UNRELEASED
        if self.gone is not None and on >= self.gone:
            return Status.GONE
        if self.deprecated is not None and on >= self.deprecated:
            return Status.DEPRECATED
        return Status.GA

    def alive(self, on: date) -> bool:
        """Whether requests are answered on that day."""
        return self.status(on) in {Status.GA, Status.DEPRECATED}

    def places(self, level: Level) -> tuple[str, ...] | None:
        """Where that level is served; None: anywhere, or not recorded."""
        return self.level_locations.get(level, self.locations)


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: what it draws and accepts everywhere, and its life at each of Google's doors."""

    id: str
    title: str
    family: Family
    aliases: tuple[str, ...] = ()
    sizes: dict[str, int]
    """Size class -> image tokens of one picture, whatever its ratio (0: billed per image)."""
    default_size: str
    sends_image_size: bool = True
    """False: the size field must be left out of the request, the model has but one."""
    ratios: tuple[str, ...]
    pixels: str
    """Name of the pixel table that holds size and ratio -> width and height."""
    parameters: tuple[Parameter, ...] = ()
    seeds: tuple[int, int] | None = None
    """The least and the largest seed; None: whatever a manifest can hold."""
    temperature_max: float = 2.0
    thinking: dict[Thinking, Beside] = {}
    default_thinking: Thinking | None = None
    beside: Beside = Beside(typical=0, high=0)
    """Tokens beside the image of a model that does not think."""
    max_references: int = 0
    input_image_tokens: int = 0
    """Prompt tokens that one reference image takes."""
    offers: dict[Provider, Offer]
    note: str | None = None
    source: str
    checked: date

    def speaks(self, tier: Tier) -> bool:
        """Whether the tier's backend speaks the model's wire; proxies speak both."""
        if tier is Tier.PROXY:
            return True
        return (self.family is Family.IMAGEN) is (tier is Tier.IMAGEN)

    def has(self, tier: Tier, level: Level | None = None) -> bool:
        """Whether the model comes at that level, else at the tier's own, whatever the day."""
        level = level or LEVELS[tier]
        if tier.provider is Provider.PROXY:
            return True
        if tier.is_simulated:
            offered = any(level in offer.levels for offer in self.offers.values())
            return offered and self.speaks(tier)
        offer = self.offers.get(tier.provider)
        return offer is not None and level in offer.levels and self.speaks(tier)

    def answers(self, tier: Tier, on: date, level: Level | None = None) -> bool:
        """Whether a request at that tier is answered on that day; simulated models never die."""
        offer = self.offers.get(tier.provider)
        return self.has(tier, level) and (offer is None or offer.alive(on))

    def searches(self, tier: Tier) -> frozenset[str]:
        """What can be looked up there before it draws; the simulator's is the most of any door."""
        offer = self.offers.get(tier.provider)
        asked = self.offers.values() if tier.is_simulated else (offer,) if offer else ()
        return frozenset(kind for each in asked for kind in each.searches)

    def draws(self, tier: Tier) -> tuple[str, ...]:
        """Size classes that the tier draws, smallest first."""
        offer = self.offers.get(tier.provider)
        if not tier.is_batch or offer is None or offer.batch_sizes is None:
            return tuple(self.sizes)
        return offer.batch_sizes


class Retired(msgspec.Struct, frozen=True):
    """A name that no longer answers anywhere, and the one to write instead."""

    name: str
    since: date
    successor: str
    message: str


class Unknown(msgspec.Struct, frozen=True):
    """A name that never was a model here, and up to three that look like it."""

    name: str
    suggestions: tuple[str, ...]
