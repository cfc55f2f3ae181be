"""The models the simulator serves, from `catalog.toml`: its own figures, shared with nobody."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from importlib.resources import files

import msgspec


class Platform(StrEnum):
    """Which of Google's two doors a request came through, or that of a proxy."""

    AISTUDIO = "aistudio"
    VERTEX = "vertex"
    PROXY = "proxy"


class Service(StrEnum):
    """The service level a request asked for, and the price list it is billed by."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"
    PROVISIONED = "provisioned"
    BATCH = "batch"


class Method(StrEnum):
    """The method of the API that a model answers to; a proxy has three more for the first."""

    GENERATE = "generateContent"
    PREDICT = "predict"
    IMAGES = "images.generations"
    EDITS = "images.edits"
    CHAT = "chat.completions"

    @property
    def is_openai(self) -> bool:
        """Whether it is spoken in OpenAI's words."""
        return self in {Method.IMAGES, Method.EDITS, Method.CHAT}


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nano-dollars per token; thinking is billed as text. `each` is the price of a picture.

    `search` is that of a query.
    """

    prompt: int = 0
    text: int = 0
    image: int = 0
    each: int = 0
    search: int = 14_000_000  # Google, Gemini API, Pricing, 2026-10: $14 per 1,000, Gemini 3


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model: what it accepts, what it draws, what it costs.

    `thinking` names the levels offered, the default first. `refuses` names request fields that
    other models take and this one answers with 400. `studio_services` are the levels of AI Studio,
    beside batch; Vertex sells every level that has a price. `searches` are what can be searched.
    """

    name: str
    title: str
    pixels: str
    image_tokens: dict[str, int]
    input_image_tokens: int
    max_references: int
    prices: dict[Service, Price]
    method: Method = Method.GENERATE
    aliases: tuple[str, ...] = ()
    thinking: tuple[str, ...] = ()
    refuses: frozenset[str] = frozenset()
    ratios_refused: frozenset[str] = frozenset()
    mime: str = "image/jpeg"
    studio_services: frozenset[Service] = frozenset({Service.STANDARD})
    retired: dict[str, dt.date] = {}
    searches: dict[Platform, frozenset[str]] = {}

    def sold(self, service: Service, platform: Platform) -> bool:
        """Tell whether a platform serves this model at that level."""
        if platform is Platform.AISTUDIO and service is not Service.BATCH:
            return service in self.studio_services
        return service in {*self.prices, Service.PROVISIONED}

    def gone(self, name: str, platform: Platform, on: dt.date) -> bool:
        """Tell whether `name` (this model's or an alias) is switched off on that day."""
        key = platform if name == self.name else f"{platform}-preview"
        end = self.retired.get(key)
        return end is not None and on >= end


Pixels = dict[str, dict[str, tuple[int, int]]]


class Catalog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every model, and the pixel tables they share: family, then ratio, then size."""

    models: tuple[Model, ...]
    pixels: dict[str, Pixels]

    def find(self, name: str) -> Model | None:
        """Find a model by its name or an alias."""
        return next((m for m in self.models if name == m.name or name in m.aliases), None)

    def ratios(self, model: Model) -> dict[str, dict[str, tuple[int, int]]]:
        """List the pixel table of a model: ratio, then size."""
        table = self.pixels[model.pixels]
        return {ratio: table[ratio] for ratio in table if ratio not in model.ratios_refused}


def load() -> Catalog:
    """Read the catalog that ships beside this module."""
    text = files(__package__).joinpath("catalog.toml").read_bytes()
    return msgspec.toml.decode(text, type=Catalog)
