"""How schedules are run."""

from __future__ import annotations

from pydantic import BaseModel, Field

from darkroom.settings.value import FROZEN


class Schedule(BaseModel):
    """How many runs are gathered at a time, and for how long."""

    model_config = FROZEN

    at_once: int = Field(2, ge=1, le=32, description="runs that a scheduler gathers and plans")
    run_seconds: float = Field(3_600.0, gt=0, description="one that takes longer has failed")
    lease_seconds: float = Field(
        30.0, ge=2, description="a silent scheduler is replaced after this"
    )
