"""Kinds of values that several settings take."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from darkroom_manifests.tier import Tier, parse_choice

FROZEN = ConfigDict(frozen=True, extra="forbid")


Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
"""An amount in dollars, exact to a nano-dollar."""


def _no_cap(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """TOML and environment variables have no word for nothing: "none" is it."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


Cap = Annotated[Money | None, BeforeValidator(_no_cap)]
"""An amount in dollars that is not to be passed; None: no such bound."""


Count = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_no_cap)]
"""A number that is not to be passed; None: no such bound."""


def tier_choice(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """Read a tier's name, or auto."""
    return parse_choice(value) if isinstance(value, str) else value


def names_of(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """An environment variable writes a list with commas."""
    if not isinstance(value, str):
        return value
    return [name.strip() for name in value.split(",") if name.strip()]


def tier_names(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """An environment variable writes a list with commas."""
    names = value.split(",") if isinstance(value, str) else value
    return names and [Tier.parse(name) if isinstance(name, str) else name for name in names]
