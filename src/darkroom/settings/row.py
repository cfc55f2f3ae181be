"""What becomes of rows: defaults, tiers, places, prompts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from darkroom.settings.value import FROZEN, tier_choice, tier_names
from darkroom_manifests.reading import Combine
from darkroom_manifests.tier import Auto, Tier


class Defaults(BaseModel):
    """What a row gets that does not say otherwise."""

    model_config = FROZEN

    tier: Annotated[Tier | Auto | None, BeforeValidator(tier_choice)] = Field(
        None, description="None: the one tier that is configured, or auto where there are several"
    )
    model: str | None = Field(None, description="None: the registry's default")
    aspect_ratio: str | None = None
    image_size: str | None = None
    n: int = Field(1, ge=1, le=100)


class Routing(BaseModel):
    """Among which tiers `auto` chooses, and where work goes on when one of them cannot."""

    model_config = FROZEN

    tiers: Annotated[tuple[Tier, ...] | None, BeforeValidator(tier_names)] = Field(
        None, description="None: those that have a credential and are not paid up"
    )
    fallback: Annotated[tuple[Tier, ...], BeforeValidator(tier_names)] = Field(
        (), description="where work goes on, one after the other, when its tier rests for long"
    )
    fallback_after: float = Field(600.0, ge=0, description="seconds; shorter rests are waited for")
    fallback_most_times: float = Field(
        1.5, ge=0, description="of what was set aside for an image: what is dearer stays"
    )


class Output(BaseModel):
    """Where an image is put below the storage place."""

    model_config = FROZEN

    path: str = "{job}/{id}_{variant}.{ext}"
    deliver_turns: bool = Field(
        default=False, description="deliver the images of earlier turns, too"
    )


class Variants(BaseModel):
    """Rows whose lists stand for many rows."""

    model_config = FROZEN

    combine: Combine = Field(Combine.PRODUCT, description="product or zip, where a row is silent")
    most_rows: int = Field(100, ge=1, le=10_000, description="that one row may stand for")


class Template(BaseModel):
    """A prompt with places for a row's columns, in Jinja2's sandbox."""

    model_config = FROZEN

    prompt: str
