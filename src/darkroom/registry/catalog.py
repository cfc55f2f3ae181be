"""The registry's data as read from its files, and whether it agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import msgspec

from darkroom.registry.model import Level, Model
from darkroom.registry.price import Price
from darkroom_manifests.money import parse_dollars
from darkroom_manifests.tier import Provider


class RetiredEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name that answers nowhere since that day."""

    id: str
    since: date
    successor: str
    note: str | None = None
    source: str
    checked: date


class PixelTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ratio -> size class -> "WIDTHxHEIGHT"."""

    id: str
    sizes: dict[str, dict[str, str]]
    note: str | None = None
    source: str
    checked: date

    def __post_init__(self) -> None:
        for by_size in self.sizes.values():
            for pixels in by_size.values():
                _sides(pixels)

    def find(self, ratio: str, size: str) -> tuple[int, int] | None:
        """Width and height, or None where nobody says."""
        pixels = self.sizes.get(ratio, {}).get(size)
        return None if pixels is None else _sides(pixels)


class Surcharge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider adds, from a day on, outside one location."""

    provider: Provider
    outside: str
    percent: int
    valid_from: date
    source: str
    checked: date


class PriceEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One price list: dollars per million tokens and dollars per image, as text."""

    model: str
    providers: tuple[Provider, ...]
    level: Level
    valid_from: date
    valid_until: date | None = None
    text_in: str = "0"
    image_in: str = "0"
    cached_in: str = "0"
    text_out: str = "0"
    image_out: str = "0"
    per_image: str = "0"
    per_call: str = "0"
    per_search: str = "0.014"
    """Without it that of the Gemini 3 family (Google, Gemini API, Pricing, 2026-10)."""
    version: str | None = None
    """What answers are booked with; None: the day on which it was checked."""
    note: str | None = None
    source: str
    checked: date

    def __post_init__(self) -> None:
        price = self.price()
        rates = (price.text_in, price.text_out, price.image_out, price.per_image, price.per_call)
        free = not any(rates)
        # A forgotten rate must not pass for a gift.
        if free is not (self.level is Level.PROVISIONED):
            raise ValueError("only the provisioned level, and all of it, is free of rates")

    def valid(self, on: date) -> bool:
        """Whether the list counts on that day; `valid_until` is the first day it does not."""
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)

    def price(self, surcharge_percent: int = 0) -> Price:
        """The list in nano-dollars per token."""
        return Price(
            version=self.version or self.checked.isoformat(),
            tier_level=self.level,
            text_in=_per_token(self.text_in),
            image_in=_per_token(self.image_in),
            cached_in=_per_token(self.cached_in),
            text_out=_per_token(self.text_out),
            image_out=_per_token(self.image_out),
            per_image=parse_dollars(self.per_image),
            per_call=parse_dollars(self.per_call),
            per_search=parse_dollars(self.per_search),
            surcharge_percent=surcharge_percent,
        )


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything the files say. Of two price lists with one key the later in the tuple wins."""

    default_model: str
    models: Mapping[str, Model]
    retired: Mapping[str, RetiredEntry]
    pixels: Mapping[str, PixelTable]
    prices: tuple[PriceEntry, ...]
    surcharges: tuple[Surcharge, ...]

    def contradictions(self) -> Iterator[str]:
        """Say where one entry points at another that is not there."""
        if self.default_model not in self.models:
            yield f"default_model {self.default_model!r} is not a model"
        for model in self.models.values():
            yield from (f"models.{model.id}: {what}" for what in self._doubts(model))
        for retired in self.retired.values():
            if retired.successor not in self.models:
                yield f"retired.{retired.id}: successor {retired.successor!r} is not a model"
        for price in self.prices:
            if price.model not in self.models:
                yield f"prices: {price.model!r} is not a model"

    def _doubts(self, model: Model) -> Iterator[str]:
        if model.pixels not in self.pixels:
            yield f"pixels {model.pixels!r} is not a table of pixels"
        if model.default_size not in model.sizes:
            yield f"default_size {model.default_size!r} is not one of its sizes"
        if bool(model.thinking) is not (model.default_thinking in model.thinking):
            yield "default_thinking is not one of its thinking levels"
        for provider, offer in model.offers.items():
            if offer.successor is not None and offer.successor not in self.models:
                yield f"offers.{provider}: successor {offer.successor!r} is not a model"
            for size in set(offer.batch_sizes or ()) - set(model.sizes):
                yield f"offers.{provider}: batch_sizes {size!r} is not one of its sizes"


def _per_token(dollars_per_million: str) -> int:
    nano, rest = divmod(parse_dollars(dollars_per_million), 1_000_000)
    if rest:
        raise ValueError(f"{dollars_per_million} per million is no whole nano-dollars per token")
    return nano


def _sides(pixels: str) -> tuple[int, int]:
    width, times, height = pixels.partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise ValueError(f"{pixels!r} is not WIDTHxHEIGHT")
    return int(width), int(height)
