"""Whom to tell what happened."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator

from darkroom.event import EventName
from darkroom.settings.value import FROZEN, names_of

_WEB: Final = ("https", "http")
ELSEWHERE: Final = ("env:", "file:")
"""How a value begins that could not be read from where it is said to be."""


class Target(BaseModel):
    """Somebody who is told: a web server that takes signed notices, or people by Apprise.

    `url` and `secret` may say where they are to be read: `env:NAME` or `file:PATH`. What could not
    be read is left as it was written; `fault` says so.
    """

    model_config = FROZEN

    url: SecretStr = Field(description="https://…, or one of Apprise's: slack://, mailto://")
    secret: SecretStr | None = Field(None, description="whsec_…, signs what goes to https://")
    events: Annotated[tuple[EventName, ...] | None, BeforeValidator(names_of)] = Field(
        None, description="None: all"
    )
    allow_hosts: Annotated[tuple[str, ...], BeforeValidator(names_of)] = Field(
        (), description="hosts that may be private, or speak plain http, or at another port"
    )

    @field_validator("url")
    @classmethod
    def _has_scheme(cls, url: SecretStr) -> SecretStr:
        value = url.get_secret_value()
        if not value.startswith(ELSEWHERE) and not _scheme(value):
            raise ValueError("must be https://…, or a URL of Apprise's such as slack://…")
        return url

    @property
    def is_webhook(self) -> bool:
        """Whether it is a web server that takes signed notices."""
        return _scheme(self.url.get_secret_value()) in _WEB

    @property
    def fault(self) -> str | None:
        """What keeps it from being told anything, with the remedy."""
        for name, given in (("url", self.url), ("secret", self.secret)):
            said = given.get_secret_value() if given is not None else ""
            if said.startswith(ELSEWHERE):
                return f"its {name} is not there: {said}"
        if self.is_webhook and self.secret is None:
            return "it has no secret: give the whsec_… that the receiver checks"
        return None

    @property
    def shown(self) -> str:
        """Where it is, as far as that is no secret: an URL of Apprise's is one all over."""
        value = self.url.get_secret_value()
        if value.startswith(ELSEWHERE):
            return value
        host = urlsplit(value).hostname if self.is_webhook else None
        return f"{_scheme(value)}://{host or ''}…"

    def wants(self, event: EventName) -> bool:
        """Whether it is told of such events."""
        return self.events is None or event in self.events


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme if "://" in url else ""
    except ValueError:
        return ""


class Notices(BaseModel):
    """Who is told what happened, and how often it is tried."""

    model_config = FROZEN

    failed_above: float = Field(
        0.0, ge=0, le=1, description="share of renders without image that makes job.failed of a job"
    )
    retry_seconds: Annotated[tuple[float, ...], BeforeValidator(names_of)] = Field(
        (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
        description="waits between tries, which Standard Webhooks recommends",
    )
    timeout_seconds: float = Field(15.0, gt=0, description="how long a receiver may take")
    look_back_seconds: float = Field(
        86_400.0, gt=0, description="what happened longer ago is not told any more"
    )
    targets: dict[str, Target] = Field(default_factory=dict)
