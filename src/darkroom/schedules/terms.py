"""What a schedule's file says, checked as far as the file alone can tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from darkroom.errors import ConfigInvalid
from darkroom.labelling import read_labels
from darkroom.schedules.calendar import Calendar
from darkroom.schedules.sql import require_reading
from darkroom.selection import named
from darkroom.settings.value import FROZEN, Money
from darkroom.span import seconds_of
from darkroom.wish_list import read_wishes
from darkroom_manifests.tier import Auto, Tier, parse_choice

_SHORTEST = timedelta(minutes=15)
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


def _span(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    return float(seconds_of(value)) if isinstance(value, str) else value


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return read_wishes(given)
    except ConfigInvalid as error:
        raise ValueError(f"{error.message} {error.hint or ''}".strip()) from error


def _labelled(given: dict[str, Any]) -> dict[str, str]:
    try:
        return read_labels(given)
    except ConfigInvalid as error:
        raise ValueError(f"{error.message} {error.hint or ''}".strip()) from error


def _choice(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    return parse_choice(value) if isinstance(value, str) else value


Span = Annotated[float, BeforeValidator(_span), Field(ge=0)]
"""Seconds; written as 90m, 6h or 2d."""
TierName = Annotated[Tier | Auto, BeforeValidator(_choice)]


class Source(BaseModel):
    """Where rows come from: exactly one of manifest, query and python."""

    model_config = FROZEN

    manifest: str | None = None
    query: str | None = None
    database: str | None = None
    python: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Source:
        given = [name for name in ("manifest", "query", "python") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("give exactly one of manifest, query and python")
        if (self.query is None) != (self.database is None):
            raise ValueError("query and database belong together")
        return self

    @field_validator("query")
    @classmethod
    def _reads(cls, query: str | None) -> str | None:
        if query is not None:
            require_reading(query)
        return query

    @field_validator("database")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        head, _, _ = (url or "").partition("@")
        if "@" in (url or "") and ":" in head.partition("://")[2]:
            raise ValueError('a password does not belong here; write "env:CATALOG_DSN"')
        return url

    @field_validator("manifest")
    @classmethod
    def _placeholders(cls, manifest: str | None) -> str | None:
        rest = (manifest or "").replace("{date}", "")
        if "{" in rest or "}" in rest:
            raise ValueError("the only thing that can stand in braces is {date}")
        return manifest

    @field_validator("python")
    @classmethod
    def _colon(cls, python: str | None) -> str | None:
        parts = (python or "a:b").split(":")
        if len(parts) != 2 or not all(p.isidentifier() for part in parts for p in part.split(".")):  # noqa: PLR2004
            raise ValueError('write it as "module:function"')
        return python


class OnDeadline(BaseModel):
    """What becomes of images that are not made at the deadline."""

    model_config = FROZEN

    action: Literal["move_to", "wait", "stop"] = "wait"
    tier: Annotated[Tier | None, BeforeValidator(_choice)] = None
    max_cost: Money | None = None

    @model_validator(mode="after")
    def _tier_goes_with_move(self) -> OnDeadline:
        if (self.action == "move_to") != (self.tier is not None):
            raise ValueError("move_to needs a tier, and nothing else does")
        return self


class CircuitBreaker(BaseModel):
    """When a run that goes wrong is stopped: bad images among those that are over."""

    model_config = FROZEN

    failed_ratio: float = Field(gt=0, le=1)
    min_items: int = Field(20, ge=1)


class Publish(BaseModel):
    """Where images are copied: those that are approved, or all that are done and not rejected."""

    model_config = FROZEN

    when: Literal["approved", "done"] = "approved"
    to: str
    manifest: str | None = None

    def place(self, folder: Path) -> str:
        """Name the place for every process; a relative path begins at the schedule's folder."""
        if "://" in self.to and not self.to.startswith("file://"):
            return self.to.rstrip("/")
        return str((folder / Path(self.to.removeprefix("file://")).expanduser()).resolve())


class Terms(BaseModel):
    """One schedule's file."""

    model_config = FROZEN

    name: str = Field(pattern=_NAME)
    cron: str
    timezone: str
    source: Source
    template: str | None = None
    model: str | None = None
    ask: Annotated[dict[str, Any], AfterValidator(_asked)] = Field(default_factory=dict)
    deliver_turns: bool | None = None
    labels: Annotated[dict[str, Any], AfterValidator(_labelled)] = Field(default_factory=dict)
    select: Literal["changed", "missing", "failed", "all"] = "missing"
    catalog: Annotated[str | None, AfterValidator(named)] = None
    tier: TierName | None = None
    max_cost: Money | None = None
    deadline: str | None = Field(None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    on_deadline: OnDeadline = OnDeadline()
    overlap: Literal["skip", "buffer_one", "allow"] = "skip"
    catchup: Span = 6 * 3_600.0
    jitter: Span = 0.0
    pause_after_failures: int | None = Field(3, ge=1)
    circuit_breaker: CircuitBreaker | None = None
    review: str | None = Field(None, pattern=r"^(required|none|sample:\d{1,3}%)$")
    publish: Publish | None = None
    notify: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fires(self) -> Terms:
        pause = self.calendar().shortest_pause()
        is_free = isinstance(self.tier, Tier) and self.tier.is_simulated
        if pause < _SHORTEST and not is_free:
            raise ValueError("cron: it may not fire more often than every 15 minutes")
        if self.on_deadline.action != "wait" and self.deadline is None:
            raise ValueError("on_deadline needs a deadline")
        if self.jitter >= pause.total_seconds():
            raise ValueError("jitter is longer than the time between two fires")
        return self

    def calendar(self) -> Calendar:
        """When it fires."""
        return Calendar(self.cron, self.timezone)

    @property
    def targets(self) -> list[str]:
        """Who is told of its runs: names of targets of the settings, `ops` or `apprise:ops`."""
        return [each.rpartition(":")[2] for each in self.notify]

    @property
    def review_percent(self) -> int:
        """How many images of a hundred wait for a review; the others count as approved."""
        if self.review in (None, "none"):
            return 0
        return 100 if self.review == "required" else int(self.review[len("sample:") : -1])


def too_dear(cost_nusd: int, most: Decimal) -> bool:
    """Whether an estimate is above a cap in dollars."""
    return cost_nusd > int(most * 1_000_000_000)


def jittered(moment: datetime, seconds: float, chance: float) -> datetime:
    """Put a moment off by a part of the jitter."""
    return moment + timedelta(seconds=seconds * chance)
