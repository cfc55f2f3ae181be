"""Limits of AI Studio's account tiers, as data: see `presets.toml`."""

from __future__ import annotations

import tomllib
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Self


class AccountTier(StrEnum):
    """How far Google trusts an AI Studio project; its page on billing tells which."""

    FREE = "free"
    ONE = "1"
    TWO = "2"
    THREE = "3"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        """Read `tier-1` as `1`, in any case."""
        plain = str(value).strip().lower().removeprefix("tier").lstrip("- _")
        return next((each for each in cls if each.value == plain and each.value != value), None)


def checked() -> date:
    """When the figures were looked at."""
    found: date = _read()["checked"]
    return found


@cache
def aistudio(account: AccountTier, *, is_batch: bool = False) -> dict[str, Any]:
    """What is set for an account tier, as the settings of a tier, on demand or in batches."""
    on_demand: dict[str, Any] = dict(_read()[account.value])
    batch: dict[str, Any] = on_demand.pop("batch")
    return batch if is_batch else on_demand


@cache
def _read() -> dict[str, Any]:
    text = files("darkroom").joinpath("presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
