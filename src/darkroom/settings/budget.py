"""How much may be spent."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, Field

from darkroom.settings.value import FROZEN, Cap, Money


class Budget(BaseModel):
    """When to ask before real money is spent, and how much of it all jobs together may spend."""

    model_config = FROZEN

    confirm_above: Money = Decimal("1.00")
    per_day: Cap = Field(Decimal("100.00"), description="a day in UTC, by when it was sent")
    total: Cap = Field(None, description="ever")
