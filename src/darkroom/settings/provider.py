"""Who makes and keeps the images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from darkroom.presets import AccountTier
from darkroom.settings.value import FROZEN


class ServiceTier(StrEnum):
    """A service level that requests to AI Studio can name."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"


class AIStudio(BaseModel):
    """The Gemini Developer API."""

    model_config = FROZEN

    api_key: SecretStr | None = None
    base_url: str | None = None
    account_tier: AccountTier = Field(AccountTier.ONE, description="limits to begin with")
    service_tier: ServiceTier | None = Field(None, description="None: requests name none")

    @field_validator("account_tier", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
        """TOML writes 1 as a number."""
        return str(value) if isinstance(value, int) else value


class Vertex(BaseModel):
    """Vertex AI, which Google now calls Gemini Enterprise Agent Platform."""

    model_config = FROZEN

    project: str | None = None
    location: str = "global"
    credentials_file: Path | None = Field(None, description="service account; else ADC")
    access_token: SecretStr | None = Field(None, description="a bearer token made elsewhere")
    base_url: str | None = None


class GCS(BaseModel):
    """Google Cloud Storage, where `storage_url` is gs://bucket/prefix."""

    model_config = FROZEN

    project: str | None = None
    credentials_file: Path | None = Field(None, description="service account; else ADC")
    kms_key: str | None = Field(None, description="projects/…/cryptoKeys/…; else the bucket's")
    uploads: int = Field(16, ge=1, le=256, description="at the same time, in one worker")
    deadline_seconds: float = Field(60.0, gt=0, description="how long one call is repeated")


class Simulator(BaseModel):
    """The stand-in for Google on loopback that costs nothing."""

    model_config = FROZEN

    base_url: str | None = Field(None, description="a running one; else one is started")
    scenario: Path | None = None
    latency: str = "0.3-0.9"
    quota_rpm: int | None = Field(None, ge=1)
    pictures: Literal["drawn", "cached"] = "drawn"
