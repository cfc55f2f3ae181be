"""Which delivered images are good enough."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from darkroom.settings.value import FROZEN


class Duplicate(StrEnum):
    """What becomes of an image that looks like another one of its job."""

    OFF = "off"
    REPORT = "report"
    """It is kept, and `darkroom job show` names it."""
    STOP = "stop"


class Gates(BaseModel):
    """What is looked at in every image beside its pixels. One that fails is asked for again."""

    model_config = FROZEN

    enabled: bool = True
    blank: bool = Field(default=True, description="one colour, or nearly so")
    whole: bool = Field(default=False, description="every pixel can be decoded; costs CPU")
    white_border: bool = Field(default=False, description="the outermost pixels are nearly white")
    duplicate: Duplicate = Field(
        Duplicate.OFF, description="looks like another image of its job; costs CPU"
    )
    own: bool = Field(default=True, description="gates of installed packages: darkroom.gates")

    @property
    def looks(self) -> bool:
        """Whether it is kept how images look."""
        return self.enabled and self.duplicate is not Duplicate.OFF

    @property
    def must_differ(self) -> bool:
        """Whether an image that looks like another one of its job is stopped."""
        return self.enabled and self.duplicate is Duplicate.STOP
