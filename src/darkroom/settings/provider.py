"""Who makes and keeps the images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from darkroom.presets import AccountTier
from darkroom.settings.value import FROZEN
from darkroom_manifests.asked import LABEL_WORD


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


# Google, Agent Platform, Add labels to API calls, 2026-10: 64 a call, one of them a batch's own. A
# key with a thousand values or more may be dropped from the export.
_MOST_LABELS: Final = 40
_MOST_LABEL_TAGS: Final = 20
LabelWord = Annotated[str, StringConstraints(pattern=f"^{LABEL_WORD}$")]


class Vertex(BaseModel):
    """Vertex AI, which Google now calls Gemini Enterprise Agent Platform."""

    model_config = FROZEN

    project: str | None = None
    location: str = "global"
    credentials_file: Path | None = Field(None, description="service account; else ADC")
    access_token: SecretStr | None = Field(None, description="a bearer token made elsewhere")
    base_url: str | None = None
    labels: dict[LabelWord, LabelWord] = Field(
        {}, max_length=_MOST_LABELS, description="of each request, for the billing export"
    )
    label_tags: tuple[LabelWord, ...] = Field(
        (), max_length=_MOST_LABEL_TAGS, description="tags of a row that are labels, too"
    )


class Gemini(BaseModel):
    """What requests for Gemini's image models say where row and job do not; None: Google's default.

    Google, Generate Content, 2026-10: people, type and compression are Vertex's alone.
    """

    model_config = FROZEN

    system_instruction: str | None = None
    safety: (
        Literal[
            "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"
        ]
        | None
    ) = Field(None, description="threshold of all categories")
    person_generation: Literal["ALLOW_ALL", "ALLOW_ADULT", "ALLOW_NONE"] | None = None
    output_mime_type: Literal["image/png", "image/jpeg"] | None = None
    compression_quality: int | None = Field(None, ge=0, le=100, description="of JPEG")
    thinking: Literal["minimal", "medium", "high"] | None = None
    grounding: Literal["web", "image", "web+image"] | None = Field(
        None, description="what is searched before a picture is drawn; each search costs"
    )

    @model_validator(mode="after")
    def _compressed(self) -> Self:
        """Only JPEG is compressed so."""
        if self.compression_quality is not None and self.output_mime_type != "image/jpeg":
            raise ValueError("compression_quality needs output_mime_type = image/jpeg")
        return self

    @field_validator("safety", "person_generation", mode="before")
    @classmethod
    def _in_capitals(cls, value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
        """Google spells them in capitals for these models, and small for Imagen."""
        return value.upper() if isinstance(value, str) else value


class Imagen(BaseModel):
    """What requests of tier `imagen` say beside a row's own; None: Google's default."""

    model_config = FROZEN

    person_generation: Literal["allow_all", "allow_adult", "dont_allow"] | None = None
    safety_setting: (
        Literal["block_low_and_above", "block_medium_and_above", "block_only_high", "block_none"]
        | None
    ) = None
    output_mime_type: Literal["image/png", "image/jpeg"] | None = None
    compression_quality: int | None = Field(None, ge=0, le=100, description="of JPEG")
    language: str | None = Field(None, description="of the prompts: auto, en, ja …")
    enhance_prompt: bool | None = Field(None, description="whether Google rewrites prompts")

    @model_validator(mode="after")
    def _compressed(self) -> Self:
        """Google refuses a quality for anything but JPEG, image by image."""
        if self.compression_quality is not None and self.output_mime_type != "image/jpeg":
            raise ValueError("compression_quality needs output_mime_type = image/jpeg")
        return self


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
