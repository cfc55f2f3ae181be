"""Where reference images may come from, and what is done with large ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from darkroom.settings.value import FROZEN, names_of


def _placed(uri: str) -> str:
    """Paths are those of the folder in which Darkroom was called, for all its processes."""
    return uri if "://" in uri else str(Path(uri).absolute())


ReferenceSet = dict[str, tuple[Annotated[str, AfterValidator(_placed)], ...]]
"""Images that go along together, by their roles: `{"character": ["ada-1.jpg", "ada-2.jpg"]}`."""


class Policy(StrEnum):
    """What becomes of references that no provider takes: too large, animated, a GIF."""

    REFUSE = "refuse"
    FIT = "fit"
    """The first frame is written as JPEG, smaller where it must be."""


class References(BaseModel):
    """Reference images."""

    model_config = FROZEN

    policy: Policy = Field(Policy.REFUSE, description="of what no model takes: refuse or fit")
    folder: Path | None = Field(
        None, description="where fetched and fitted ones are kept; None: `references` in `home`"
    )
    allow_hosts: Annotated[tuple[str, ...], BeforeValidator(names_of)] = Field(
        (), description="hosts that may be private, or speak plain http"
    )
    fetch_seconds: float = Field(30.0, gt=0, description="that one of them may take")
    fetch_bytes: int = Field(30_000_000, ge=1, description="that one of them may have")
    fetch_at_once: int = Field(16, ge=1, le=256)
    fresh_seconds: float = Field(
        3_600.0, ge=0, description="how long one that was fetched is not asked for again"
    )
