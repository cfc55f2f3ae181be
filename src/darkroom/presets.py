"""Limits of AI Studio's account tiers, as data: see `presets.toml`."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any


class AccountTier(StrEnum):
    """How far Google trusts an AI Studio project; its page on billing tells which."""

    FREE = "free"
    ONE = "1"
    TWO = "2"
    THREE = "3"


@cache
def aistudio(account: AccountTier, *, is_batch: bool = False) -> dict[str, Any]:
    """What is set for an account tier, as the settings of a tier, on demand or in batches."""
    text = files("darkroom").joinpath("presets.toml").read_text(encoding="utf-8")
    on_demand: dict[str, Any] = tomllib.loads(text)[account.value]
    batch: dict[str, Any] = on_demand.pop("batch")
    return batch if is_batch else on_demand
