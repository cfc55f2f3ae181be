"""Dated data about models: capabilities, pixels, tokens, prices, retirement. Cheap to import."""

from __future__ import annotations

from darkroom.registry.ask import Ask, Expected, Reason, Refusal
from darkroom.registry.estimate import Load, Tariff
from darkroom.registry.load import RegistryError
from darkroom.registry.model import (
    Family,
    Level,
    Model,
    Offer,
    Parameter,
    Retired,
    Status,
    Thinking,
    Unknown,
    level_of,
)
from darkroom.registry.price import Estimate, Price, Usage
from darkroom.registry.registry import Registry
from darkroom.registry.table import ModelRow, rows

__all__ = [
    "Ask",
    "Estimate",
    "Expected",
    "Family",
    "Level",
    "Load",
    "Model",
    "ModelRow",
    "Offer",
    "Parameter",
    "Price",
    "Reason",
    "Refusal",
    "Registry",
    "RegistryError",
    "Retired",
    "Status",
    "Tariff",
    "Thinking",
    "Unknown",
    "Usage",
    "level_of",
    "rows",
]
